// node ask.mjs SDK BASE_URL MODEL: asks one question and prints what the SDK made of the answer, as JSON.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { jsonSchema, streamText, tool } from "ai";
import OpenAI from "openai";

const [, , sdk, baseURL, model] = process.argv;
const apiKey = "node-key";
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

async function openai() {
  const client = new OpenAI({ apiKey, baseURL, maxRetries: 0, timeout: 20000 });
  const stream = client.chat.completions.stream({
    model,
    messages: [{ role: "user", content: "hello" }],
    tools: [{ type: "function", function: { name: "get_weather", parameters: schema } }],
    stream_options: { include_usage: true },
  });
  let reasoning = "";
  stream.on("chunk", (chunk) => (reasoning += chunk.choices[0]?.delta?.reasoning_content ?? ""));
  const completion = await stream.finalChatCompletion();
  const { message, finish_reason } = completion.choices[0];
  return {
    text: message.content ?? "",
    reasoning,
    calls: (message.tool_calls ?? []).map((call) => [call.id, call.function.name, JSON.parse(call.function.arguments)]),
    finish: finish_reason,
    tokens: completion.usage.total_tokens,
  };
}

async function vercel() {
  const provider = createOpenAICompatible({ name: "poe", apiKey, baseURL, includeUsage: true });
  let failure;
  const result = streamText({
    model: provider(model),
    prompt: "hello",
    maxRetries: 0,
    tools: { get_weather: tool({ inputSchema: jsonSchema(schema) }) },
    onError: ({ error }) => (failure = error),
  });
  await result.consumeStream();
  if (failure) throw failure;
  return {
    text: await result.text,
    reasoning: (await result.reasoningText) ?? "",
    calls: (await result.toolCalls).map((call) => [call.toolCallId, call.toolName, call.input]),
    finish: (await result.finishReason).replace("-", "_"),
    tokens: (await result.usage).totalTokens,
  };
}

try {
  console.log(JSON.stringify(await { openai, vercel }[sdk]()));
} catch (error) {
  console.log(JSON.stringify({ error: String(error?.message ?? error), status: error?.status ?? error?.statusCode ?? null }));
}
