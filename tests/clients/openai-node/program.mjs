// What the tests ask of OpenAI's client for Node.js.
import OpenAI, { APIError } from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const { GATEWAY, KEY } = process.env;
const client = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: KEY, maxRetries: 0, timeout: 20000 });
const HI = [{ role: "user", content: "Hi" }];
const QUESTION = { role: "user", content: "What is the weather in Paris and in Rome?" };
const MODELS = ["qwen", "mistral", "deepseek"];
const DEGREES = { Paris: "21 degrees", Rome: "25 degrees" };
const WEATHER = {
  name: "weather",
  description: "The weather in a city",
  parameters: {
    type: "object",
    properties: { city: { type: "string" }, unit: { type: "string", enum: ["celsius", "kelvin"] } },
    required: ["city", "unit"],
  },
};

export async function chat() {
  const answer = await client.chat.completions.create({ model: "qwen", messages: HI });
  const [{ message, finish_reason }] = answer.choices;
  return [message.content, finish_reason, answer.usage.prompt_tokens, answer.usage.total_tokens];
}

export async function stream() {
  const parts = [];
  for await (const part of await client.chat.completions.create({ model: "qwen", messages: HI, stream: true }))
    parts.push(part.choices[0]);
  return [parts.map((part) => part.delta.content ?? "").join(""), parts.at(-1).finish_reason];
}

export const completion = async () =>
  (await client.completions.create({ model: "qwen", prompt: "Once" })).choices[0].text;

export async function models() {
  const [first] = (await client.models.list()).data;
  return [first.id, (await client.models.retrieve("qwen")).id];
}

// The messages at the end, for each model.
export const tool_loop = () => forEachModel(loop);

// The same with the client's own loop, which calls the function by itself, whole and streamed.
export const run_tools = () => forEachModel((model) => runTools(model, false));
export const streamed_run_tools = () => forEachModel((model) => runTools(model, true));

async function forEachModel(work) {
  const found = {};
  for (const model of MODELS) found[model] = await work(model);
  return found;
}

async function loop(model) {
  const messages = [QUESTION];
  const tools = [{ type: "function", function: WEATHER }];
  for (;;) {
    const { message } = (await client.chat.completions.create({ model, messages, tools })).choices[0];
    messages.push(message);
    if (!message.tool_calls) return messages;
    for (const call of message.tool_calls) {
      const { city } = JSON.parse(call.function.arguments);
      messages.push({ role: "tool", tool_call_id: call.id, content: DEGREES[city] });
    }
  }
}

async function runTools(model, stream) {
  const weather = { ...WEATHER, parse: JSON.parse, function: ({ city }) => DEGREES[city] };
  const tools = [{ type: "function", function: weather }];
  const runner = client.chat.completions.runTools({ model, messages: [QUESTION], tools, stream });
  await runner.done();
  return runner.messages;
}

// A zod schema as the format of the answer.
export async function parse() {
  const Place = z.object({
    name: z.string(),
    kind: z.enum(["city", "village"]),
    mayor: z.string().nullable(),
    population: z.union([z.number(), z.string()]),
    site: z.url(),
  });
  const response_format = zodResponseFormat(Place, "place");
  const answer = await client.chat.completions.parse({ model: "qwen", messages: HI, response_format });
  const streamed = await client.chat.completions
    .stream({ model: "qwen", messages: HI, response_format })
    .finalChatCompletion();
  return [answer, streamed].map(({ choices: [{ message }] }) => message.parsed);
}

// A zod schema as the parameters of a tool.
export async function parse_tools() {
  const parameters = z.object({ city: z.string(), unit: z.string() });
  const tools = [zodFunction({ name: "weather", parameters })];
  const answer = await client.chat.completions.parse({ model: "qwen", messages: [QUESTION], tools });
  return answer.choices[0].message.tool_calls.map((call) => call.function.parsed_arguments);
}

// For each model that fails, and for a wrong key: the class of the error, its status, and its code.
export async function errors() {
  const found = {};
  for (const model of ["unknown", "closed", "too-long", "overloaded", "failing", "gone"]) found[model] = await error(model);
  return found;
}

async function error(model) {
  try {
    const asking = model === "closed" ? client.withOptions({ apiKey: "sk-wrong" }) : client;
    await asking.chat.completions.create({ model, messages: HI });
  } catch (problem) {
    if (problem instanceof APIError) return [problem.constructor.name, problem.status, problem.code];
    throw problem;
  }
}

// With a real model: a forced call, the answer to its result, and the same answer streamed.
export async function forced_call() {
  const settings = { model: process.env.MODEL, temperature: 0, max_tokens: 60 };
  const tools = [{ type: "function", function: WEATHER }];
  const tool_choice = { type: "function", function: { name: "weather" } };
  const messages = [QUESTION];
  const [{ message }] = (await client.chat.completions.create({ ...settings, messages, tools, tool_choice })).choices;
  const [call] = message.tool_calls;
  messages.push(message, { role: "tool", tool_call_id: call.id, content: "21 degrees" });
  const answer = await client.chat.completions.create({ ...settings, messages, max_tokens: 12 });
  let streamed = "";
  for await (const part of await client.chat.completions.create({ ...settings, messages, max_tokens: 12, stream: true }))
    streamed += part.choices[0].delta.content ?? "";
  return { call: call.function, text: answer.choices[0].message.content, streamed };
}

// With a real model: a zod schema as the format of the answer.
export async function real_object() {
  const Animal = z.object({ age: z.number().int().nullable(), kind: z.enum(["cat", "dog"]) });
  const response_format = zodResponseFormat(Animal, "animal");
  const settings = { model: process.env.MODEL, messages: HI, temperature: 0, max_tokens: 60 };
  return (await client.chat.completions.parse({ ...settings, response_format })).choices[0].message.parsed;
}
