"""What may go wrong with the lab. Each error is one sentence for a person: what is missing, and how to get it."""


class LabError(Exception):
    """The lab cannot do what was asked of it on this machine."""


class Forbidden(LabError):
    """This user may not create namespaces here.

    ``needs``: what would allow it, as a command or a word ("root", "sysctl -w user.max_user_namespaces=10000").
    """

    def __init__(self, sentence: str, needs: str = "root") -> None:
        super().__init__(sentence)
        self.needs = needs
