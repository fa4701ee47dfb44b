"""pyTelegramBotAPI runs as a bot against the simulated messenger: commands, a button, a message too long,
and a pace that is too fast."""
import json
import sys
import threading
import urllib.request

import telebot
from telebot import apihelper, types

rest = json.loads(sys.argv[1])["telegram"]["rest"]
apihelper.API_URL = rest + "/bot{0}/{1}"
BOB = 7002
bot = telebot.TeleBot("7654321:token-of-another-test", threaded=False)
sent, pressed = [], []
is_done = threading.Event()


def user(what, **fields):
    body = json.dumps({"chat_id": BOB, **fields}).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{rest}/sim/{what}", body, headers)
    urllib.request.urlopen(request, timeout=5).read()


@bot.message_handler(commands=["mute"])
def mute(message):
    keys = types.InlineKeyboardMarkup()
    keys.add(types.InlineKeyboardButton("Unmute", callback_data="unmute:1"))
    answer = bot.send_message(message.chat.id, "<i>muted</i>", parse_mode="HTML", reply_markup=keys)
    sent.append(answer)
    user("press", message_id=answer.message_id, data="unmute:1")


@bot.callback_query_handler(func=lambda call: True)
def press(call):
    bot.answer_callback_query(call.id)
    pressed.append(call.data)
    is_done.set()


polling = threading.Thread(target=bot.infinity_polling, kwargs={"timeout": 5, "long_polling_timeout": 1})
polling.start()
user("say", text="/mute BTC")
assert is_done.wait(30), "the button was not heard"
bot.stop_polling()
polling.join(20)
assert sent[0].text == "muted" and sent[0].entities[0].type == "italic", sent
assert pressed == ["unmute:1"], pressed


def refused(text):
    try:
        bot.send_message(BOB, text)
    except apihelper.ApiTelegramException as refusal:
        return refusal
    return None


long = refused("x" * 4097)
assert long.error_code == 400 and "message is too long" in long.description, long
fast = next(filter(None, (refused(f"message {n}") for n in range(20))))
assert fast.error_code == 429, fast
wait = fast.result_json["parameters"]["retry_after"]
print(f"ok telebot: message {sent[0].message_id}, pressed {pressed[0]}, 4,097 characters refused, wait {wait}")
