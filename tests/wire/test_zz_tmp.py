def test_order(agents):
    with agents.client() as client:
        for bot in ("native-agent","plain-agent","echo"):
            for _ in range(3):
                chunks = client.chat(model=bot, stream=True, n=3).chunks()
                print(bot,[c["choices"][0]["index"] for c in chunks[:-1]][:12])
    assert 0
