// An emulator that runs as a program of its own, operated through a console that other machines may reach: over TLS, with the
// emulator's REST behind it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request as plainRequest } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { binary, Program } from "./laboratory.mjs";
import { story } from "./story.mjs";
import { until } from "./until.mjs";

const [ID, DEVICE] = ["box-1", "/api/devices/box-1"];

const step = story();
let directory, emulator, console_, link, ca, cookie;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "console-test-"));
  emulator = new Program(["emulator", "--json", "--port", "0", "--directory", directory], { cwd: directory });
  await emulator.line("that it listens", ({ event }) => event === "emulator");
  const [key, certificate] = ["page.key", "page.pem"].map((name) => join(directory, name));
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], { stdio: "ignore" });
  ca = readFileSync(certificate);
  cloud("device", "create", "--device-id", ID);
  cloud("enrollment", "create", "--enrollment-id", ID, "--attestation-type", "symmetrickey");
  console_ = new Program(["console", "--json", "--port", "0", "--listen", "0.0.0.0", "--host", "localhost", "--tls-certificate", certificate, "--tls-key", key], { cwd: directory });
  link = new URL(await console_.link());
});

after(async () => {
  await Promise.all([console_?.stop("SIGKILL"), emulator?.stop("SIGKILL")]);
  rmSync(directory, { recursive: true, force: true });
});

step("the link leads to TLS, its cookie never leaves it, and nothing else is spoken there", async () => {
  assert.equal(link.protocol, "https:");
  const { status, headers } = await ask("GET", link.pathname + link.search);
  assert.equal(status, 303);
  assert.match(headers["set-cookie"][0], /; Secure/i);
  cookie = headers["set-cookie"][0].split(";")[0];
  const plain = await new Promise((resolve) => plainRequest({ host: "127.0.0.1", port: link.port, path: "/", headers: { host: link.host, cookie } }, (answer) => resolve(answer.statusCode)).on("error", () => resolve("nothing")).end());
  assert.equal(plain, "nothing");
});

step("what the emulator has is shown", async () => {
  const { body } = await ask("GET", "/api/session");
  assert.deepEqual([body.mode, body.can.enrollments, body.can.time, body.can.scenario], ["emulator", true, false, false]);
  await until("the device is known", async () => (await ask("GET", "/api/fleet")).body.devices.some(({ id }) => id === ID));
  const enrollments = (await ask("GET", "/api/enrollments")).body.enrollments;
  assert.deepEqual(enrollments.map(({ registrationId }) => registrationId), [ID]);
  assert.ok(!JSON.stringify(enrollments).includes("primaryKey"), "no symmetric key");
  assert.equal((await ask("GET", "/api/scenario")).body.scenario, null);
});

step("what is changed here is changed at the emulator", async () => {
  await done("PATCH", `${DEVICE}/twin`, { properties: { desired: { telemetryInterval: 120 } } });
  assert.equal(cloud("twin", "show", "--device-id", ID).properties.desired.telemetryInterval, 120);
  await done("PATCH", DEVICE, { status: "disabled" });
  assert.equal(cloud("device", "show", "--device-id", ID).status, "disabled");
  await done("POST", `${DEVICE}/messages`, { body: "hello" });
  assert.equal(cloud("device", "show", "--device-id", ID).cloudToDeviceMessageCount, 1);
  await done("PATCH", `/api/enrollments/${ID}`, { provisioningStatus: "disabled" });
  assert.equal(cloud("enrollment", "show", "--enrollment-id", ID).provisioningStatus, "disabled");
  const { id } = await done("POST", "/api/faults", { kind: "latency", latencyMs: 50, devices: [ID] });
  assert.equal((await ask("GET", "/api/faults")).body.faults[0].id, id);
  await done("DELETE", `/api/faults/${id}`);
  assert.deepEqual((await ask("GET", "/api/faults")).body.faults, []);
});

step("what can't be done is refused in a sentence, and the device goes when it is deprovisioned", async () => {
  const method = await ask("POST", `${DEVICE}/methods`, { name: "ping", payload: {} });
  assert.ok(method.status >= 400 && /[.?]$/.test(method.body.error.message), JSON.stringify(method.body));
  const time = await ask("POST", "/api/time", { isPaused: true });
  assert.deepEqual([time.status >= 400, /[.?]$/.test(time.body.error.message)], [true, true]);
  await done("POST", `${DEVICE}/deprovision`, {});
  await until("the device is gone", async () => !(await ask("GET", "/api/fleet")).body.devices.some(({ id }) => id === ID));
});

/** The answer of `container-tracker cloud`. */
function cloud(...args) {
  const said = execFileSync(binary(), ["cloud", ...args], { cwd: directory, encoding: "utf8" });
  return said.trim() === "" ? null : JSON.parse(said);
}

async function done(method, path, body) {
  const answer = await ask(method, path, body);
  assert.equal(answer.status, 200, `${method} ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** What the console answers, over TLS. */
function ask(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = { host: link.host, ...(cookie === undefined ? {} : { cookie }), ...(method === "GET" ? {} : { origin: link.origin, "content-type": "application/json" }) };
    const sent = request({ host: "127.0.0.1", servername: "localhost", port: link.port, ca, method, path, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (more) => (text += more)).on("end", () => {
        const isJson = (answer.headers["content-type"] ?? "").startsWith("application/json");
        resolve({ status: answer.statusCode, headers: answer.headers, body: isJson ? JSON.parse(text) : text });
      });
    });
    sent.on("error", reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
