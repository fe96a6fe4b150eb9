"""halfopen: how long until one end of a TCP connection notices that the other is gone, and why then.

The rooms, in the order in which data flows:

``commands``   what is typed: options to calls, errors to exit codes; one file per family.
``spec``       what is asked: settings, traffic, trials.
``labs``       where it runs: the Host and Lab protocols, the lab of network namespaces, hosts over SSH (``labs.ssh``).
``endpoints``  the two programs under test; standard library only, because they are copied to hosts.
``faults``     what is done to the lab, and its undoing: one file per fault.
``endings``    how a connection ends, closed and not lost: one file per ending.
``detectors``  every check that asks whether the other end is there, in every state: one file per family.
``observe``    what was seen: signs, sockets, packets, the clock.
``predict``    what should have been seen: the kernel's timers, as pure functions.
``verdict``    seen against should: proof, verdict, warnings, the sentence that explains it.
``pool``       a client with a pool against a server that closes idle connections: shares, races, latencies.
``programs``   the endpoints for two terminals: a server that closes in three ways, a client that says what it saw.
``sweep``      many experiments at once: the product of value lists, planned, sharded, resumed.
``store``      ``results/``: one folder per run, one index over all of them.
``compare``    two runs against each other, cell by cell; the night's job.
``report``     what a person sees: one file per format.

``experiment.py`` takes one trial from spec to record; ``engine.py`` runs one or thousands of them.
Arrows run one way: tasks -> harness -> netns.
"""
