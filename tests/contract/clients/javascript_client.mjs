// A client as customers write it (Node 18 or later): submit, poll, download, cancel, and look at
// errors. BASE_URL, API_KEY and IMAGE_URL come from the environment; what it saw goes to stdout
// as JSON.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";

const { BASE_URL, API_KEY, IMAGE_URL } = process.env;
const pollMs = Number(process.env.POLL_SECONDS ?? 2) * 1000;
const folder = process.argv[2];
const headers = { Authorization: `Bearer ${API_KEY}` };

async function submit(body) {
  const response = await fetch(`${BASE_URL}/tasks/generation`, {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return response.json();
}

async function waitFor(taskId, timeout = 240_000) {
  const began = Date.now();
  while (Date.now() - began < timeout) {
    const response = await fetch(`${BASE_URL}/tasks/${taskId}`, { headers });
    const task = await response.json();
    if (task.status === "completed") return task;
    if (task.status === "failed") throw new Error(`failed: ${task.error}`);
    if (task.status === "cancelled") throw new Error("cancelled");
    console.error(`${(task.progress || 0) * 100}%`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  throw new Error(`${taskId} timed out`);
}

async function download(task) {
  const files = [];
  for (const [number, image] of task.output.images.entries()) {
    const response = await fetch(image.url);
    const file = join(folder, `javascript_${number}.jpg`);
    await writeFile(file, Buffer.from(await response.arrayBuffer()));
    files.push(file);
  }
  return files;
}

async function cancel(taskId) {
  const response = await fetch(`${BASE_URL}/tasks/${taskId}/cancel`, { method: "POST", headers });
  return (await response.json()).status;
}

async function failure(path, options) {
  const response = await fetch(`${BASE_URL}${path}`, options);
  if (response.ok) throw new Error(`${path} should have failed`);
  const { detail } = await response.json();
  if (response.status !== 422) return [response.status, detail];
  return [422, detail.map((one) => `${one.loc.join(".")}: ${one.msg}`)];
}

const prompt = "fashion model wearing the dress, studio lighting, white background";
const submitted = await submit({
  input_image_url: IMAGE_URL,
  prompt,
  negative_prompt: "blurry, distorted, low quality",
  num_outputs: 4,
  steps: 30,
  guidance_scale: 7.5,
});
const completed = await waitFor(submitted.id);
const files = await download(completed);
const short = await submit({ input_image_url: IMAGE_URL, prompt, num_outputs: 1 });
const cancelled = await cancel(short.id);
const errors = [
  await failure("/tasks/", {}),
  await failure("/tasks/task_unknown", { headers }),
  await failure("/tasks/generation", {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify({ num_outputs: 0 }),
  }),
];
console.log(JSON.stringify({ submitted, completed, files, cancelled, errors }));
