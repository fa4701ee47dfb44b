"""curl through the gateway: a question, a stream, a venue, and what is refused."""
import json
import subprocess
import sys

places = json.loads(sys.argv[1])


def curl(*arguments):
    command = ["curl", "--silent", "--show-error", "--max-time", "60", "--include", *arguments]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    head, _, body = text.partition("\n\n") if "\r\n\r\n" not in text else text.partition("\r\n\r\n")
    return int(head.split()[1]), head.lower(), body


body = {"model": "echo", "messages": [{"role": "user", "content": "hello"}]}
chat = places["openai"] + "/chat/completions"
status, head, said = curl(chat, "--json", json.dumps(body))
assert status == 200 and json.loads(said)["choices"][0]["message"]["content"] == "hello", said
assert "x-finstage-wait-ms:" in head and "x-finstage-cost-usd:" in head, head
status, _, said = curl("--no-buffer", chat, "--json", json.dumps(body | {"stream": True}))
assert status == 200 and said.rstrip().endswith("data: [DONE]"), said
status, _, said = curl(places["venues"]["binance"] + "/api/v3/ticker/price?symbol=BTCUSDT")
assert status == 200 and float(json.loads(said)["price"]) > 0, said
for expected, arguments in [
    (405, ("-X", "POST", places["venues"]["binance"] + "/api/v3/order")),
    (403, (places["venues"]["binance"] + "/api/v3/account?signature=ff",)),
    (403, ("-H", "Origin: https://example.com", places["openai"] + "/models")),
]:
    status, head, said = curl(*arguments)
    assert status == expected, (status, said)
print("ok curl through the gateway: a question, a stream, a price, and three refusals")
