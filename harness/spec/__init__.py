"""What is asked: settings, traffic and the trial. Pure data; nothing here touches a socket."""
