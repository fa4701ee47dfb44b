"""python-telegram-bot writes to the simulated messenger, reads updates, and is told to wait."""
import asyncio
import json
import sys

from telegram import Bot
from telegram.error import RetryAfter

rest = json.loads(sys.argv[1])["telegram"]["rest"]


async def write():
    bot = Bot("1234567:token-of-a-test", base_url=rest + "/bot", base_file_url=rest + "/file/bot")
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
        print(f"ok telegram: {bot.username}, message {sent.message_id}, {len(updates)} updates, wait {wait}")


asyncio.run(asyncio.wait_for(write(), 40))
