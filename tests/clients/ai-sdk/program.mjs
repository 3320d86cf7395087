// What the tests ask of Vercel's AI SDK.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateObject, generateText, isStepCount, Output, streamText, tool } from "ai";
import { z } from "zod";

const { GATEWAY, KEY } = process.env;
const QUESTION = "What is the weather in Paris and in Rome?";
const DEGREES = { Paris: "21 degrees", Rome: "25 degrees" };
const PLACE = z.object({
  name: z.string(),
  mayor: z.string().nullable(),
  population: z.union([z.number(), z.string()]),
  site: z.url(),
});

const model = (name, apiKey = KEY) =>
  createOpenAICompatible({ name: "gateway", baseURL: `${GATEWAY}/v1`, apiKey, supportsStructuredOutputs: true })(name);
const tools = {
  weather: tool({
    description: "The weather in a city",
    inputSchema: z.object({ city: z.string(), unit: z.enum(["celsius", "kelvin"]) }),
    execute: ({ city }) => DEGREES[city],
  }),
};
const loop = { prompt: QUESTION, tools, stopWhen: isStepCount(4), maxRetries: 0 };

// The default of OpenAI's provider is the Responses API. With store, it would send references to items.
const openai = createOpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: KEY });
const anthropic = createAnthropic({ baseURL: `${GATEWAY}/v1`, apiKey: KEY });
const stateless = { providerOptions: { openai: { store: false } } };

async function forEachModel(work, make = model) {
  const found = {};
  for (const name of ["qwen", "mistral", "deepseek"]) found[name] = await work(make(name));
  return found;
}

// For each model: the text, the calls with their inputs, the results, and how the steps ended.
const outcome = async (result) => {
  const steps = await result.steps;
  return {
    text: await result.text,
    calls: steps.flatMap((step) => step.toolCalls.map(({ toolCallId, toolName, input }) => [toolCallId, toolName, input])),
    results: steps.flatMap((step) => step.toolResults.map(({ toolCallId, output }) => [toolCallId, output])),
    ends: steps.map((step) => step.finishReason),
  };
};

export const tool_loop = () => forEachModel(async (model) => outcome(await generateText({ ...loop, model })));
export const streamed_tool_loop = () =>
  forEachModel(async (model) => {
    const result = streamText({ ...loop, model });
    await result.consumeStream();
    return outcome(result);
  });

const ask = (options) => async (model) => outcome(await generateText({ ...loop, ...options, model }));
const askStreamed = (options) => async (model) => {
  const result = streamText({ ...loop, ...options, model });
  await result.consumeStream();
  return outcome(result);
};
export const responses_tool_loop = () => forEachModel(ask(stateless), openai);
export const streamed_responses_tool_loop = () => forEachModel(askStreamed(stateless), openai);
export const anthropic_tool_loop = () => forEachModel(ask({}), anthropic);
export const streamed_anthropic_tool_loop = () => forEachModel(askStreamed({}), anthropic);

// What a program gets that leaves out store: false, from a model that writes text before its calls.
export async function reference() {
  try {
    await generateText({ ...loop, model: openai("qwen") });
  } catch (problem) {
    return [problem.statusCode, problem.data.error.code, problem.data.error.param];
  }
}

export const dialect_objects = async () => {
  const found = [];
  for (const make of [openai, anthropic]) {
    const output = Output.object({ schema: PLACE });
    found.push((await generateText({ model: make("qwen"), output, prompt: "Paris?", maxRetries: 0 })).output);
  }
  return found;
};

export async function stream() {
  const parts = [];
  for await (const part of streamText({ model: model("qwen"), prompt: "Hi", maxRetries: 0 }).textStream) parts.push(part);
  return parts;
}

// A schema as the format of the answer: with the older function, and with the one in its place.
export const objects = async () => [
  (await generateObject({ model: model("qwen"), schema: PLACE, prompt: "Paris?", maxRetries: 0 })).object,
  (await generateText({ model: model("qwen"), output: Output.object({ schema: PLACE }), prompt: "Paris?", maxRetries: 0 }))
    .output,
];

// For each model that fails, and for a wrong key: the status, and whether the SDK would try again.
export async function errors() {
  const found = {};
  for (const name of ["unknown", "closed", "too-long", "overloaded", "failing", "gone"])
    found[name] = await error(model(name, name === "closed" ? "sk-wrong" : KEY));
  return found;
}

async function error(model) {
  try {
    await generateText({ model, prompt: "Hi", maxRetries: 0 });
  } catch (problem) {
    if (APICallError.isInstance(problem)) return [problem.statusCode, problem.isRetryable, problem.data.error.code];
    throw problem;
  }
}
