"""The plainest gateway this stack allows: the yardstick that the real one is measured against, in the same run.

    POE_BASE_URL=http://127.0.0.1:9100 gunicorn -k gevent -w 1 --worker-connections 4000 -b 127.0.0.1:9300 naive:app

Plain text only: no thinking, tools, files, usage, errors, limits or watcher. One event in, one chunk out.
"""

import json
import os
import time
import uuid

import requests
import sseclient
from flask import Flask, Response, request

POE = os.environ.get("POE_BASE_URL", "http://127.0.0.1:9100")
app = Flask(__name__)
session = requests.Session()


@app.post("/v1/chat/completions")
def chat():
    body = request.get_json()
    query = [
        {"role": "bot" if m["role"] == "assistant" else m["role"], "content": m["content"]} for m in body["messages"]
    ]
    upstream = session.post(
        f"{POE}/bot/{body['model']}",
        json={
            "version": "1.2",
            "type": "query",
            "query": query,
            "user_id": "",
            "conversation_id": "",
            "message_id": "",
        },
        headers={"Authorization": request.headers.get("Authorization", "")},
        stream=True,
    )
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": body["model"]}

    def texts():
        for event in sseclient.SSEClient(upstream).events():
            if event.event == "text":
                yield json.loads(event.data)["text"]
            elif event.event == "done":
                return

    def frame(delta, finish=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return f"data: {json.dumps({**head, 'object': 'chat.completion.chunk', 'choices': [choice]})}\n\n"

    if not body.get("stream"):
        message = {"role": "assistant", "content": "".join(texts())}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {**head, "object": "chat.completion", "choices": [choice]}

    def stream():
        yield frame({"role": "assistant", "content": ""})
        for text in texts():
            yield frame({"content": text})
        yield frame({}, "stop") + "data: [DONE]\n\n"

    return Response(stream(), mimetype="text/event-stream")
