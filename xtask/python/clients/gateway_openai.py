"""openai through the gateway, plain and streamed, three times as fast as the limit, with any key."""
import concurrent.futures
import json
import sys
import time

import openai

places = json.loads(sys.argv[1])
api = openai.OpenAI(base_url=places["openai"], api_key="any", max_retries=0, timeout=60)


def ask(i):
    messages = [{"role": "user", "content": f"answer {i}"}]
    if i % 2 == 0:
        raw = api.chat.completions.with_raw_response.create(model="echo", messages=messages)
        assert float(raw.headers["x-finstage-cost-usd"]) > 0, raw.headers
        return raw.parse().choices[0].message.content, int(raw.headers["x-finstage-wait-ms"])
    pieces = []
    for event in api.chat.completions.create(model="echo", messages=messages, stream=True):
        assert event.usage is None and event.choices, "it was not asked for"
        pieces += [choice.delta.content or "" for choice in event.choices]
    return "".join(pieces), 0


began = time.monotonic()
with concurrent.futures.ThreadPoolExecutor(60) as pool:
    told = list(pool.map(ask, range(60)))
took = time.monotonic() - began
assert [text for text, _ in told] == [f"answer {i}" for i in range(60)], told
longest = max(wait for _, wait in told)
assert "gpt-4o-mini" in [model.id for model in api.models.list()]
vectors = api.embeddings.create(model="text-embedding-3-small", input=["up"], dimensions=8)
assert len(vectors.data[0].embedding) == 8
try:
    api.chat.completions.create(model="no-such-model", messages=[])
    raise SystemExit("any model was taken")
except openai.NotFoundError as refused:
    assert refused.code == "model_not_found", refused
print(f"ok openai through the gateway: {len(told)} answers in {took:.1f} s, the longest wait {longest} ms")
