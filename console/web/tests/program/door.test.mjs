// Who is let in: asked without a browser, which would not send what an attacker sends.

import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { simulation } from "./laboratory.mjs";
import { launch, Visitor } from "./visitor.mjs";

const ID = "sensor-thl-001";

let laboratory, browser, link, cookie;

before(async () => {
  laboratory = simulation();
  link = new URL(await laboratory.link());
  const { status, headers } = await ask(link.pathname + link.search);
  assert.equal(status, 303);
  cookie = headers["set-cookie"][0];
});

after(async () => {
  await browser?.close();
  await laboratory?.stop();
});

test("the link's token becomes a cookie that no script and no other site can use", async () => {
  const { headers } = await ask(link.pathname + link.search);
  assert.equal(headers.location, "/");
  assert.match(cookie, /HttpOnly/i);
  assert.match(cookie, /SameSite=Strict/i);
  assert.match(cookie, /Path=\//i);
  assert.ok(link.searchParams.get("token").length >= 43, "32 random bytes");
});

test("who has no cookie, or a wrong one, is told nothing", async () => {
  const [name, value] = pairOf(cookie);
  const wrong = `${name}=${value.slice(0, -1)}${value.endsWith("A") ? "B" : "A"}`;
  for (const headers of [{}, { cookie: wrong }, { cookie: `${name}=` }]) {
    for (const path of ["/api/session", "/api/fleet", "/api/live", `/api/devices/${ID}/twin`]) {
      const { status, text } = await ask(path, { headers });
      assert.equal(status, 401, path);
      assert.doesNotMatch(text, new RegExp(ID));
    }
  }
  assert.equal((await ask("/?token=wrong")).status, 401);
});

test("another Host is refused: a name that was bound anew to this address is not ours", async () => {
  for (const host of ["attacker.example", `attacker.example:${link.port}`, "127.0.0.1", `127.0.0.1:${Number(link.port) + 1}`, `localhost.attacker.example:${link.port}`]) {
    const { status } = await ask("/api/session", { headers: { ...known(), host } });
    assert.equal(status, 403, host);
    assert.equal((await ask(link.pathname + link.search, { headers: { host } })).status, 403, `${host}, with the token`);
  }
  assert.equal((await ask("/api/session", { headers: { ...known(), host: `localhost:${link.port}` } })).status, 200);
});

test("another Origin, none, or a form's content changes nothing", async () => {
  const body = JSON.stringify({ properties: { desired: { telemetryInterval: 77 } } });
  const good = { ...known(), origin: link.origin, "content-type": "application/json" };
  const bad = [
    { ...good, origin: "http://attacker.example" },
    { ...good, origin: "null" },
    { ...good, origin: `http://127.0.0.1:${Number(link.port) + 1}` },
    { ...good, origin: `https://${link.host}` },
    without(good, "origin"),
    { ...good, "content-type": "text/plain" },
    { ...good, "content-type": "application/x-www-form-urlencoded" },
    without(good, "content-type"),
  ];
  for (const headers of bad) {
    const { status } = await ask(`/api/devices/${ID}/twin`, { method: "PATCH", headers, body });
    assert.ok([403, 415].includes(status), `${status} for ${JSON.stringify(headers)}`);
  }
  const { text } = await ask(`/api/devices/${ID}/twin`, { headers: known() });
  assert.equal(JSON.parse(text).properties.desired.telemetryInterval, 1);
});

test("every answer forbids strange scripts, sniffing and framing", async () => {
  for (const path of ["/", "/app.js", "/land.json", "/api/session", "/api/nothing", "/nothing"]) {
    const { headers } = await ask(path, { headers: known() });
    const policy = headers["content-security-policy"] ?? "";
    assert.match(policy, /default-src 'none'/, path);
    assert.match(policy, /script-src 'self'/, path);
    assert.match(policy, /frame-ancestors 'none'/, path);
    assert.doesNotMatch(policy, /unsafe/, path);
    assert.equal(headers["x-content-type-options"], "nosniff", path);
    assert.equal(headers["referrer-policy"], "no-referrer", path);
  }
});

test("paths lead nowhere else, and what is asked wrongly is answered with a sentence", async () => {
  for (const path of ["/../Cargo.toml", "/%2e%2e/Cargo.toml", "/..%2fCargo.toml", "/app.js%00", "//app.js"]) {
    const { status, text } = await ask(path, { headers: known() });
    assert.ok([400, 404].includes(status), `${status} for ${path}`);
    assert.doesNotMatch(text, /\[package\]/);
  }
  const { status, text } = await ask("/api/devices/nobody/twin", { headers: known() });
  assert.equal(status, 404);
  assert.match(JSON.parse(text).error.message, /nobody/);
});

test("a read-only link shows all and changes nothing", async () => {
  const laboratory = simulation("--read-only");
  browser = await launch();
  const visitor = await Visitor.arrive(browser);
  await visitor.open(await laboratory.link());
  await visitor.page.getByText("Read only").waitFor();
  await visitor.rowIs(ID, "is there", (row) => row.temperature !== null);
  await visitor.go(`#/device/${ID}`);
  await visitor.get("device-title").waitFor();
  for (const testid of ["device-disable", "twin-save", "method-call", "message-send"]) assert.equal(await visitor.get(testid).count(), 0, testid);

  const ask = (method, path, data = {}) => visitor.context.request.fetch(`${visitor.origin}/api/${path}`, {
    method, data, headers: { origin: visitor.origin, "content-type": "application/json" },
  });
  const changes = [
    ["PATCH", `devices/${ID}/twin`, { properties: { desired: { telemetryInterval: 77 } } }],
    ["POST", `devices/${ID}/methods`, { name: "ping", payload: null }],
    ["POST", `devices/${ID}/messages`, { body: "x" }],
    ["PATCH", `devices/${ID}`, { status: "disabled" }],
    ["DELETE", `devices/${ID}`],
    ["POST", `devices/${ID}/deprovision`],
    ["POST", "deprovision", { devices: "all" }],
    ["POST", "faults", { kind: "blackHole", devices: "all" }],
    ["POST", "time", { isPaused: true }],
  ];
  for (const [method, path, data] of changes) assert.equal((await ask(method, path, data)).status(), 403, `${method} ${path}`);
  assert.equal((await visitor.api("session")).readOnly, true);
  await visitor.leave();
  await laboratory.stop();
});

function known() {
  return { cookie: pairOf(cookie).join("=") };
}

function pairOf(cookie) {
  const [pair] = cookie.split(";");
  const at = pair.indexOf("=");
  return [pair.slice(0, at), pair.slice(at + 1)];
}

function without(headers, name) {
  const { [name]: _, ...rest } = headers;
  return rest;
}

/** A request to the console's address, with whatever headers; `fetch` would set Host and Origin by itself. */
function ask(path, { method = "GET", headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const sent = request({ host: link.hostname, port: link.port, path, method, headers, agent: false }, (response) => {
      let text = "";
      const done = () => resolve({ status: response.statusCode, headers: response.headers, text });
      response.setEncoding("utf8");
      response.on("data", (chunk) => (text += chunk));
      response.on("end", done);
      response.on("close", done);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
