"""How clients speak: bytes to a `ModelRequest`, `AnswerEvent`s to bytes. Pure; the dialects do not know each other."""
