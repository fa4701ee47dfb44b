"""python-telegram-bot writes to the simulated messenger, is told to wait, and runs as a bot: it polls, is
asked by a user, answers with a button, and hears that it was pressed."""
import asyncio
import json
import sys
import urllib.request

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.error import RetryAfter
from telegram.ext import ApplicationBuilder, CallbackQueryHandler, CommandHandler

rest = json.loads(sys.argv[1])["telegram"]["rest"]
TOKEN = "1234567:token-of-a-test"
ANN = 7001


def user(what, **fields):
    body = json.dumps({"chat_id": ANN, **fields}).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{rest}/sim/{what}", body, headers)
    urllib.request.urlopen(request, timeout=5).read()


async def write():
    bot = Bot(TOKEN, base_url=rest + "/bot", base_file_url=rest + "/file/bot")
    async with bot:
        sent = await bot.send_message(7, "<b>BTC</b> rose &amp; fell", parse_mode="HTML")
        updates = await bot.get_updates(timeout=0)
        try:
            await bot.send_message(429, "too fast")
            raise AssertionError("chat 429 took a message")
        except RetryAfter as refusal:
            wait = refusal.retry_after
        assert sent.text == "BTC rose & fell" and sent.chat.id == 7, sent
        assert sent.entities[0].type == "bold" and bot.username, sent.entities
        return f"{bot.username}, message {sent.message_id}, {len(updates)} updates, wait {wait}"


async def run():
    heard, pressed = asyncio.Future(), asyncio.Future()

    async def why(update, context):
        keys = InlineKeyboardMarkup([[InlineKeyboardButton("Why", callback_data="why:1")]])
        sent = await update.message.reply_text("BTC " + context.args[0], reply_markup=keys)
        heard.set_result(sent)

    async def press(update, _):
        await update.callback_query.answer()
        pressed.set_result(update.callback_query.data)

    app = ApplicationBuilder().token(TOKEN).base_url(rest + "/bot").build()
    app.add_handler(CommandHandler("why", why))
    app.add_handler(CallbackQueryHandler(press))
    async with app:
        await app.start()
        await app.updater.start_polling(timeout=1, allowed_updates=Update.ALL_TYPES)
        await asyncio.to_thread(user, "say", text="/why 43000")
        sent = await heard
        assert sent.reply_markup.inline_keyboard[0][0].callback_data == "why:1", sent
        await asyncio.to_thread(user, "press", message_id=sent.message_id, data="why:1")
        data = await pressed
        await app.updater.stop()
        await app.stop()
    return f"asked, answered by message {sent.message_id}, pressed {data}"


async def main():
    print(f"ok telegram: {await write()}; {await run()}")


asyncio.run(asyncio.wait_for(main(), 40))
