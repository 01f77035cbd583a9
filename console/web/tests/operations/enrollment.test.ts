import assert from "node:assert/strict";
import { test } from "node:test";
import type { Row } from "../../src/api-types.js";
import { matching } from "../../src/enrollment/devices.js";
import { allocation, attestation, byReason, certificate, failure } from "../../src/enrollment/words.js";

const slot = (subjectName: string) => ({ primary: { info: { subjectName } }, secondary: null });

test("by what a device proves itself is told in words", () => {
  const x509 = (value: object) => ({ attestation: { type: "x509", x509: value } });
  assert.equal(attestation(x509({ signingCertificates: slot("CN=Factory") })), "X.509, signed by Factory");
  assert.equal(attestation(x509({ clientCertificates: slot("CN=sensor-1") })), "X.509, certificate sensor-1");
  assert.equal(attestation(x509({ caReferences: { primary: "root", secondary: "next" } })), "CA root and next");
  assert.equal(attestation({ attestation: { type: "symmetricKey" } }), "Symmetric key");
  assert.equal(attestation(x509({})), "X.509");
  for (const odd of [null, 4, {}, { attestation: null }, { attestation: { type: 7 } }]) assert.equal(attestation(odd), "not said");
});

test("hubs and policy, or every hub", () => {
  assert.equal(allocation({ iotHubs: ["a", "b", "a"], allocationPolicy: "hashed" }), "a, b (hashed)");
  assert.equal(allocation({ iotHubs: ["north.azure-devices.net", "south.azure-devices.net"] }), "north, south");
  assert.equal(allocation({}), "every hub");
  assert.equal(allocation({ iotHubs: "a" }), "every hub");
});

test("a certificate's members may lie beneath properties, or not", () => {
  const members = { subject: "CN=root", expiry: "2036", isVerified: true, thumbprint: "AB" };
  const told = { name: "root", subject: "root", expires: "2036", isVerified: true, thumbprint: "AB" };
  assert.deepEqual(certificate({ name: "root", properties: members }), told);
  assert.deepEqual(certificate({ name: "root", ...members }), told);
  assert.deepEqual(certificate({ name: "root", isVerified: true, info: { subjectName: "CN=root", notAfterUtc: "2036", sha256Thumbprint: "AB" } }), told);
  assert.equal(certificate(null).isVerified, false);
});

test("a failure has its code once", () => {
  assert.equal(failure({ errorCode: 401_002, errorMessage: "Disabled (401002)." }), "Disabled (401002).");
  assert.equal(failure({ errorCode: 404, errorMessage: "No enrollment." }), "No enrollment. (404)");
  assert.equal(failure({ errorCode: 429 }), "(429)");
  assert.equal(failure({ errorCode: null, errorMessage: null }), null);
});

test("refused devices are put together by reason", () => {
  const rows = [{ id: "a", refusal: "disabled" }, { id: "b", refusal: null }, { id: "c", refusal: "disabled" }];
  assert.deepEqual(byReason(rows), [{ reason: "disabled", ids: ["a", "c"] }, { reason: "The reason was not told.", ids: ["b"] }]);
});

test("devices are found by all that is typed, in the order people count", () => {
  const row = (id: string, more: Partial<Row> = {}): Row => ({ id, hub: "west", state: "ok", connection: "connected", cargo: null, container: null, enrollment: null, ...more }) as Row;
  const rows = [row("t-10"), row("t-2", { cargo: "Gouda" }), row("t-1", { state: "refused" })];
  const ids = (typed: string): string[] => matching(rows, typed).map(({ id }) => id);
  assert.deepEqual(ids(""), ["t-1", "t-2", "t-10"]);
  assert.deepEqual(ids("WEST gouda"), ["t-2"]);
  assert.deepEqual(ids("refused"), ["t-1"]);
  assert.deepEqual(ids("east"), []);
});
