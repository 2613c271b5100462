"""How the pipeline says that an answer is not what was asked for."""


class AskAgain(Exception):
    """Raised in place of the answer, as long as nothing of it was sent: the bot is to be asked once more.

    `said` is what it answered, and `demand` what to say to that.
    """

    def __init__(self, said: str, demand: str) -> None:
        super().__init__(demand)
        self.said = said
        self.demand = demand
