"""openai asks the simulated server for models, answers plain and streamed, a batch, and what a limit says."""
import io
import json
import sys
import time

import openai

rest = json.loads(sys.argv[1])["openai"]["rest"]


def client(key):
    return openai.OpenAI(base_url=rest, api_key=key, max_retries=0, timeout=20)


def asked(text):
    return [{"role": "user", "content": text}]


api = client("sk-simulated")
models = [model.id for model in api.models.list()]
assert "gpt-4o-mini" in models and api.models.retrieve("echo").object == "model", models

text = "비트코인 상승 → record"
raw = api.chat.completions.with_raw_response.create(model="echo", messages=asked(text))
plain = raw.parse()
assert plain.choices[0].message.content == text and plain.choices[0].finish_reason == "stop", plain
assert plain.usage.total_tokens == plain.usage.prompt_tokens + plain.usage.completion_tokens
assert int(raw.headers["x-ratelimit-remaining-requests"]) < int(raw.headers["x-ratelimit-limit-requests"])
assert raw.request_id.startswith("req_"), raw.headers

pieces, usage = [], None
with api.chat.completions.create(
    model="echo", messages=asked(text), stream=True, stream_options={"include_usage": True}
) as stream:
    for event in stream:
        usage = event.usage or usage
        pieces += [choice.delta.content or "" for choice in event.choices]
assert "".join(pieces) == text and len(pieces) > 5, pieces
assert usage == plain.usage, usage

vectors = api.embeddings.create(model="text-embedding-3-small", input=["up", "down"], dimensions=8)
assert [len(one.embedding) for one in vectors.data] == [8, 8], vectors

rows = [
    {
        "custom_id": f"row-{i}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "echo", "messages": asked(f"answer {i}") if i != 3 else []},
    }
    for i in range(10)
]
file = io.BytesIO("\n".join(json.dumps(row) for row in rows).encode())
uploaded = api.files.create(file=("in.jsonl", file), purpose="batch")
batch = api.batches.create(
    input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h"
)
for _ in range(100):
    if batch.status in ("completed", "failed", "expired", "cancelled"):
        break
    time.sleep(0.1)
    batch = api.batches.retrieve(batch.id)
assert batch.status == "completed", batch
counts = batch.request_counts
assert (counts.total, counts.completed, counts.failed) == (10, 9, 1), counts
done = [json.loads(line) for line in api.files.content(batch.output_file_id).text.splitlines()]
told = {row["custom_id"]: row["response"]["body"]["choices"][0]["message"]["content"] for row in done}
assert told == {f"row-{i}": f"answer {i}" for i in range(10) if i != 3}, told
(failed,) = map(json.loads, api.files.content(batch.error_file_id).text.splitlines())
assert failed["custom_id"] == "row-3" and failed["response"]["status_code"] == 400, failed

try:
    # More at once than a minute of tokens has, in requests that fit each by itself.
    for _ in range(50):
        api.chat.completions.create(model="gpt-4o", messages=asked("hi"), max_tokens=16_000, n=8)
    raise SystemExit("no limit was met")
except openai.RateLimitError as refused:
    wait_ms = int(refused.response.headers["retry-after-ms"])
    assert refused.code == "rate_limit_exceeded" and refused.type == "tokens", refused
    assert 0 < wait_ms <= 60_000 and int(refused.response.headers["retry-after"]) * 1000 >= wait_ms
try:
    client("pk-unknown").models.list()
    raise SystemExit("any key was taken")
except openai.AuthenticationError as refused:
    assert refused.code == "invalid_api_key", refused
print(f"ok openai: {len(models)} models, {len(pieces)} pieces, {counts.completed} of {counts.total} in a batch, refused for {wait_ms} ms")
