// node agent.mjs TASK BASE_URL MODEL FOLDER: the Vercel AI SDK as agents use it; prints what came of it, as JSON.
// TASK: stream (streamText with a tool that writes files), whole (generateText), object, objectStream.
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, jsonSchema, stepCountIs, streamObject, streamText, tool } from "ai";

const [, , task, baseURL, model, folder] = process.argv;
// Without `supportsStructuredOutputs` the provider keeps the schema of generateObject to itself.
const provider = createOpenAICompatible({
  name: "poe", apiKey: "node-key", baseURL, includeUsage: true, supportsStructuredOutputs: true,
});
const text = { type: "string" };
const file = { type: "object", properties: { path: text, content: text }, required: ["path", "content"] };

const write_file = tool({
  description: "Writes a file.",
  inputSchema: jsonSchema(file),
  execute: async ({ path, content }) => {
    const data = Buffer.from(content, "utf8");
    writeFileSync(join(folder, basename(path)), data);
    return `${data.length} bytes written`;
  },
});
let failure;
const question = {
  model: provider(model),
  prompt: "Write a file.",
  maxRetries: 0,
  onError: ({ error }) => (failure = error),
};
const agent = { ...question, tools: { write_file }, stopWhen: stepCountIs(4) };
const author = { type: "object", properties: { name: text, age: { type: ["integer", "null"] } }, required: ["name"] };
const page = { ...question, schema: jsonSchema({ ...file, properties: { ...file.properties, author } }) };

const tasks = {
  async stream() {
    const result = streamText(agent);
    await result.consumeStream();
    if (failure) throw failure;
    const steps = await result.steps;
    return { text: await result.text, steps: steps.map((step) => step.finishReason) };
  },
  async whole() {
    const result = await generateText(agent);
    return { text: result.text, steps: result.steps.map((step) => step.finishReason) };
  },
  async object() {
    return (await generateObject(page)).object;
  },
  async objectStream() {
    const result = streamObject(page);
    let parts = 0;
    for await (const _ of result.partialObjectStream) parts += 1;
    if (failure) throw failure;
    return { ...(await result.object), parts };
  },
};

try {
  console.log(JSON.stringify(await tasks[task]()));
} catch (error) {
  console.log(JSON.stringify({ error: String(error?.message ?? error) }));
}
