// Microsoft's Node service SDKs, for DPS and for hubs. They dial port 443 whatever the connection string says.
'use strict';
const assert = require('assert');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
const { Registry, Client } = require('azure-iothub');
const { connectionString, text, run } = require('./checks');

const dps = ProvisioningServiceClient.fromConnectionString(connectionString('emulator-dps', 'provisioningserviceowner'));
const hub = connectionString('hub-1', 'iothubowner');
const registry = Registry.fromConnectionString(hub);

const value = (result) => result.responseBody;

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error.name;
  }
  return 'none';
}

function group(id) {
  return {
    enrollmentGroupId: id,
    attestation: { type: 'x509', x509: { signingCertificates: { primary: { certificate: text('factory.pem') } } } },
    provisioningStatus: 'disabled',
    initialTwin: { tags: { a: 1 }, properties: { desired: { b: 2 } } },
  };
}

function single(id) {
  return { registrationId: id, attestation: { type: 'symmetricKey', symmetricKey: {} } };
}

// Without a callback the promise of this one never ends.
function bulk(operation) {
  return new Promise((resolve, reject) =>
    dps.runBulkEnrollmentOperation(operation, (error, result) => (error ? reject(error) : resolve(result))));
}

async function pages(query) {
  const found = [];
  let more = true;
  while (more) {
    const page = await new Promise((resolve, reject) =>
      query.next((error, items) => (error ? reject(error) : resolve(items))));
    found.push(...(page.responseBody || page.result || page));
    more = query.hasMoreResults;
  }
  return found;
}

run({
  'node creates, updates, and deletes enrollment groups': async () => {
    const created = value(await dps.createOrUpdateEnrollmentGroup(group('node-group')));
    assert.strictEqual(created.provisioningStatus, 'disabled');
    assert.strictEqual(await failure(dps.createOrUpdateEnrollmentGroup(group('node-group'))), 'DeviceAlreadyExistsError');
    const updated = value(await dps.createOrUpdateEnrollmentGroup({ ...created, initialTwin: { tags: {}, properties: { desired: { b: 3 } } } }));
    assert.strictEqual(updated.initialTwin.properties.desired.b, 3);
    assert.strictEqual(await failure(dps.createOrUpdateEnrollmentGroup(created)), 'InvalidEtagError');
    assert.strictEqual(value(await dps.getEnrollmentGroup('node-group')).etag, updated.etag);
    const mechanism = value(await dps.getEnrollmentGroupAttestationMechanism('node-group'));
    assert.strictEqual(mechanism.type, 'x509');
    await dps.deleteEnrollmentGroup(updated);
    assert.notStrictEqual(await failure(dps.getEnrollmentGroup('node-group')), 'none');
  },

  'node creates, lists, and deletes individual enrollments in bulk': async () => {
    const enrollments = [1, 2, 3].map((n) => single(`node-${n}`));
    const created = await bulk({ mode: 'create', enrollments });
    assert.strictEqual(created.isSuccessful, true);
    const query = dps.createIndividualEnrollmentQuery({ query: '*' }, 2);
    const found = await pages(query);
    assert.deepStrictEqual(found.map((e) => e.registrationId).filter((id) => id.startsWith('node-')), ['node-1', 'node-2', 'node-3']);
    const keys = value(await dps.getIndividualEnrollmentAttestationMechanism('node-1'));
    assert.ok(keys.symmetricKey.primaryKey);
    const removed = await bulk({ mode: 'delete', enrollments });
    assert.strictEqual(removed.isSuccessful, true);
  },

  'node creates, updates, and deletes an individual enrollment with a certificate': async () => {
    const attestation = { type: 'x509', x509: { clientCertificates: { primary: { certificate: text('single-device.pem') } } } };
    const created = value(await dps.createOrUpdateIndividualEnrollment({ registrationId: 'node-leaf', deviceId: 'leaf', attestation }));
    assert.deepStrictEqual([created.deviceId, created.provisioningStatus], ['leaf', 'enabled']);
    assert.strictEqual(created.attestation.x509.clientCertificates.primary.info.sha256Thumbprint.length, 64);
    const updated = value(await dps.createOrUpdateIndividualEnrollment({ ...created, provisioningStatus: 'disabled' }));
    assert.strictEqual(updated.provisioningStatus, 'disabled');
    assert.strictEqual(await failure(dps.createOrUpdateIndividualEnrollment(created)), 'InvalidEtagError');
    assert.strictEqual(await failure(dps.deleteIndividualEnrollment(created)), 'InvalidEtagError');
    assert.strictEqual(value(await dps.getIndividualEnrollment('NODE-leaf')).etag, updated.etag);
    await dps.deleteIndividualEnrollment('node-leaf');
    assert.notStrictEqual(await failure(dps.getIndividualEnrollment('node-leaf')), 'none');
    const empty = { registrationId: 'node-leaf', attestation: { type: 'x509' } };
    assert.strictEqual(await failure(dps.createOrUpdateIndividualEnrollment(empty)), 'ArgumentError');
    const tpm = { registrationId: 'node-tpm', attestation: { type: 'tpm', tpm: { endorsementKey: 'QUFB' } } };
    assert.notStrictEqual(await failure(dps.createOrUpdateIndividualEnrollment(tpm)), 'none');
  },

  'node pages through enrollment groups': async () => {
    const ids = [1, 2, 3].map((n) => `node-page-${n}`);
    for (const id of ids) await dps.createOrUpdateEnrollmentGroup(group(id));
    const found = await pages(dps.createEnrollmentGroupQuery({ query: 'SELECT * FROM enrollmentGroups' }, 2));
    assert.deepStrictEqual(found.map((g) => g.enrollmentGroupId).filter((id) => id.startsWith('node-page')), ids);
    for (const id of ids) await dps.deleteEnrollmentGroup(id);
  },

  'node is told that a key of DPS is wrong': async () => {
    const login = connectionString('emulator-dps', 'provisioningserviceowner');
    const wrong = ProvisioningServiceClient.fromConnectionString(login.replace(/SharedAccessKey=.*/, `SharedAccessKey=${'QUFB'.repeat(8)}`));
    assert.strictEqual(await failure(wrong.getEnrollmentGroup('sdk')), 'UnauthorizedError');
  },

  'node reads registration records': async () => {
    const records = await pages(dps.createEnrollmentGroupDeviceRegistrationStateQuery({ query: '*' }, 'sdk'));
    assert.ok(records.some((record) => record.registrationId === 'group-device'), JSON.stringify(records));
    const record = value(await dps.getDeviceRegistrationState('group-device'));
    assert.strictEqual(record.status, 'assigned');
    assert.strictEqual(await failure(dps.deleteDeviceRegistrationState({ ...record, etag: '"stale"' })), 'InvalidEtagError');
    await dps.deleteDeviceRegistrationState(record);
    assert.notStrictEqual(await failure(dps.getDeviceRegistrationState('group-device')), 'none');
  },

  'node creates, updates, and deletes devices': async () => {
    const created = value(await registry.create({ deviceId: 'node-1' }));
    assert.ok(created.authentication.symmetricKey.primaryKey);
    assert.strictEqual(await failure(registry.create({ deviceId: 'node-1' })), 'DeviceAlreadyExistsError');
    const updated = value(await registry.update({ ...created, status: 'disabled' }));
    assert.strictEqual(updated.status, 'disabled');
    assert.ok(value(await registry.list()).length >= 1);
    const bulk = value(await registry.addDevices([{ deviceId: 'node-2' }, { deviceId: 'node-3' }]));
    assert.strictEqual(bulk.isSuccessful, true);
    await registry.removeDevices([{ deviceId: 'node-2' }, { deviceId: 'node-3' }], true);
    assert.ok(value(await registry.getRegistryStatistics()).totalDeviceCount >= 1);
    await registry.delete('node-1');
    assert.strictEqual(await failure(registry.get('node-1')), 'DeviceNotFoundError');
  },

  'node changes and queries twins': async () => {
    await registry.create({ deviceId: 'node-twin' });
    const twin = value(await registry.getTwin('node-twin'));
    await twin.update({ tags: { colour: 'red' }, properties: { desired: { x: 1 } } });
    const updated = value(await registry.getTwin('node-twin'));
    assert.strictEqual(updated.properties.desired.x, 1);
    assert.strictEqual(await failure(registry.updateTwin('node-twin', { tags: {} }, 'AAAA')), 'InvalidEtagError');
    await registry.updateTwin('node-twin', { tags: { colour: 'blue' }, properties: { desired: { x: null } } }, '*');
    const changed = value(await registry.getTwin('node-twin'));
    assert.deepStrictEqual([changed.tags.colour, changed.properties.desired.x], ['blue', undefined]);
    const query = registry.createQuery("SELECT * FROM devices WHERE tags.colour = 'blue'", 1);
    const found = await pages(query);
    assert.deepStrictEqual(found.map((t) => t.deviceId), ['node-twin']);
  },

  'node is told that a device is offline, and that a key is wrong': async () => {
    const client = Client.fromConnectionString(hub);
    const call = client.invokeDeviceMethod('node-twin', { methodName: 'ping', payload: {}, responseTimeoutInSeconds: 5 });
    // The SDK knows no error of its own for a device that is not online: it is 404 with another code.
    assert.strictEqual(await failure(call), 'Error');
    const wrong = Registry.fromConnectionString(hub.replace(/SharedAccessKey=.*/, `SharedAccessKey=${'QUFB'.repeat(8)}`));
    assert.strictEqual(await failure(wrong.get('node-twin')), 'UnauthorizedError');
  },

  'node makes queries of every kind': async () => {
    await registry.create({ deviceId: 'node-query' });
    await registry.updateTwin('node-query', { tags: { berth: 7 } }, '*');
    const rows = async (text) => pages(registry.createQuery(text, 1));
    assert.deepStrictEqual(await rows('SELECT deviceId AS id FROM devices WHERE tags.berth > 6'), [{ id: 'node-query' }]);
    assert.deepStrictEqual(await rows("SELECT COUNT() AS n FROM devices WHERE deviceId = 'node-query'"), [{ n: 1 }]);
    assert.strictEqual(await failure(rows('SELECT * FROM planets')), 'ArgumentError');
    assert.strictEqual(await failure(registry.getTwin('nobody')), 'DeviceNotFoundError');
    await registry.delete('node-query');
  },

  'node lists no modules of a device that has none': async () => {
    assert.deepStrictEqual(value(await registry.getModulesOnDevice('node-twin')), []);
  },
});
