// npm's openai through the gateway, plain and streamed, three times as fast as the limit, with any key.
import OpenAI from "openai";

const places = JSON.parse(process.argv[2]);
const api = new OpenAI({ baseURL: places.openai, apiKey: "any", maxRetries: 0, timeout: 60_000 });

async function ask(i) {
  const body = { model: "echo", messages: [{ role: "user", content: `question ${i}` }] };
  if (i % 2 === 0) return (await api.chat.completions.create(body)).choices[0].message.content;
  let said = "";
  for await (const chunk of await api.chat.completions.create({ ...body, stream: true })) {
    said += chunk.choices[0].delta.content ?? "";
  }
  return said;
}

const said = await Promise.all(Array.from({ length: 60 }, (_, i) => ask(i)));
const wrong = said.findIndex((text, i) => text !== `question ${i}`);
if (wrong >= 0) throw new Error(`question ${wrong}: ${said[wrong]}`);
console.log(`ok npm openai through the gateway: ${said.length} answers, half of them streamed`);
