// The official Node client; prints what it was told as one JSON object.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: "key", maxRetries: 0 });
const ask = [{ role: "user", content: "When does it leave?" }];
const schema = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" } },
  required: ["city", "days"],
  additionalProperties: false,
};
const tools = [{ type: "function", function: { name: "book", parameters: schema, strict: true } }];
const told = {};

const { data, response } = await client.chat.completions.create({ model: "clerk-1", messages: ask }).withResponse();
told.text = data.choices[0].message.content;
told.version = response.headers.get("x-evogate-version");
told.requestId = data._request_id;

told.streamed = "";
for await (const chunk of await client.chat.completions.create({ model: "clerk-1", messages: ask, stream: true })) {
  told.streamed += chunk.choices[0]?.delta?.content ?? "";
}

const messages = [...ask];
const first = await client.chat.completions.stream({ model: "clerk-1", messages, tools }).finalChatCompletion();
const call = first.choices[0].message.tool_calls[0];
told.arguments = JSON.parse(call.function.arguments);
messages.push(first.choices[0].message, { role: "tool", tool_call_id: call.id, content: "seat 12" });
const second = await client.chat.completions.create({ model: "clerk-1", messages, tools });
told.after = second.choices[0].message.content;

const format = { type: "json_schema", json_schema: { name: "trip", schema, strict: true } };
const parsed = await client.chat.completions.parse({ model: "clerk-1", messages: ask, response_format: format });
told.parsed = JSON.parse(parsed.choices[0].message.content);

const responded = await client.responses.create({ model: "fixture-1", input: "Hello" });
told.responded = responded.output_text;
told.events = [];
for await (const event of await client.responses.create({ model: "fixture-1", input: "Hello", stream: true })) {
  told.events.push(event.type);
}

const uploaded = await client.files.create({ file: new File(["{}"], "a.jsonl"), purpose: "batch" });
told.file = uploaded.id;
told.models = (await client.models.list()).data.map((model) => model.id);
told.embedding = (await client.embeddings.create({ model: "fixture-1", input: "a" })).data[0].embedding;

try {
  await client.chat.completions.create({ model: "missing", messages: ask });
} catch (error) {
  told.error = { name: error.constructor.name, status: error.status, code: error.code, requestId: error.requestID };
}
await client.post("/cut", { body: {} }).catch(() => undefined);
try {
  for await (const chunk of await client.chat.completions.create({ model: "clerk-1", messages: ask, stream: true })) {
    told.cutAfter = (told.cutAfter ?? "") + (chunk.choices[0]?.delta?.content ?? "");
  }
} catch (error) {
  told.cut = { name: error.constructor.name, code: error.code };
}
console.log(JSON.stringify(told));
