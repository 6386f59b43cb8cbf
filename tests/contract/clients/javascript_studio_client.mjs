// A client of the studio as customers write it (Node 18 or later): from the login to approved
// shots. Addresses, credentials and the ids of what is in the catalog come from the environment;
// what it saw goes to stdout as JSON.

import { readFile } from "node:fs/promises";

const { BASE_URL, USERNAME, PASSWORD, BRAND_ID, SUBJECT_ID, STYLE_ID, SHOT_TYPE_IDS } = process.env;
const pollMs = Number(process.env.POLL_SECONDS ?? 5) * 1000;
const picture = process.argv[2];

async function logIn() {
  const response = await fetch(`${BASE_URL}/login/access-token`, {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ username: USERNAME, password: PASSWORD }),
  });
  const { access_token } = await response.json();
  return { Authorization: `Bearer ${access_token}` };
}

async function post(headers, path, body) {
  const response = await fetch(`${BASE_URL}${path}`, {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return response.json();
}

async function get(headers, path) {
  const response = await fetch(`${BASE_URL}${path}`, { headers });
  return response.json();
}

async function createProduct(headers) {
  const body = { name: "Summer Dress", sku: "DRS-001", category: "dresses" };
  const product = await post(headers, "/products/", body);
  const form = new FormData();
  form.append("file", new Blob([await readFile(picture)]), "product.jpg");
  form.append("type", "primary");
  const url = `${BASE_URL}/products/${product.id}/images`;
  await fetch(url, { method: "POST", headers, body: form });
  const listed = await get(headers, "/products/");
  return listed.items.find((one) => one.id === product.id);
}

async function createLook(headers, product) {
  const shooting = await post(headers, "/shootings/", {
    name: "Summer Collection",
    brand_id: BRAND_ID,
  });
  return post(headers, `/shootings/${shooting.id}/looks`, {
    main_product_id: product.id,
    subject_id: SUBJECT_ID,
    style_id: STYLE_ID,
    shot_type_ids: SHOT_TYPE_IDS.split(","),
  });
}

async function waitFor(headers, shotId, timeout = 240_000) {
  const began = Date.now();
  while (Date.now() - began < timeout) {
    const shot = await get(headers, `/shots/${shotId}`);
    if (["review", "approved"].includes(shot.status)) return shot;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  throw new Error(`${shotId} timed out`);
}

async function failure(path, options) {
  const response = await fetch(`${BASE_URL}${path}`, options);
  if (response.ok) throw new Error(`${path} should have failed`);
  let { detail } = await response.json();
  if (response.status === 422) detail = detail.map((one) => `${one.loc.join(".")}: ${one.msg}`);
  return [response.status, detail];
}

const headers = await logIn();
const product = await createProduct(headers);
const look = await createLook(headers, product);
for (const shot of look.shots) {
  const generation = await post(headers, `/shots/${shot.id}/generate`, { num_predictions: 4 });
  console.error(`Generation started: ${generation.id}`);
}
const seen = { product, look, ready: [], files: [], approved: [] };
for (const { id } of look.shots) {
  const shot = await waitFor(headers, id);
  const image = await fetch(shot.current_image_url);
  const body = { prediction_id: shot.current_prediction_id };
  seen.ready.push(shot);
  seen.files.push((await image.arrayBuffer()).byteLength);
  seen.approved.push(await post(headers, `/shots/${id}/approve`, body));
}
const json = { ...headers, "Content-Type": "application/json" };
const body = JSON.stringify({ name: "Summer Dress" });
seen.errors = [
  await failure("/products/", {}),
  await failure(`/products/${look.id}`, { headers }),
  await failure("/products/", { method: "POST", headers: json, body }),
];
console.log(JSON.stringify(seen));
