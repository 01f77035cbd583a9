// Microsoft's Node device SDKs over HTTPS: provisioning with X.509 and with a key, telemetry, messages under locks.
'use strict';
const assert = require('assert');
const https = require('https');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { Http: ProvisioningTransport } = require('azure-iot-provisioning-device-http');
const { X509Security } = require('azure-iot-security-x509');
const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key');
const { Client, Message } = require('azure-iot-device');
const { Http } = require('azure-iot-device-http');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
const { Registry, ConnectionString, SharedAccessSignature } = require('azure-iothub');
const { emulator, text, connectionString, withTimeout, run } = require('./checks');

const hub = connectionString('hub-1', 'iothubowner');
const host = ConnectionString.parse(hub).HostName;
const dps = ProvisioningServiceClient.fromConnectionString(connectionString('emulator-dps', 'provisioningserviceowner'));
const registry = Registry.fromConnectionString(hub);

// A call of a service: C2D and CA certificates by the emulator's own way, feedback by Azure's.
function service(method, path, headers, body, connection = hub) {
  const { HostName: host, SharedAccessKeyName, SharedAccessKey } = ConnectionString.parse(connection);
  const token = SharedAccessSignature.create(host, SharedAccessKeyName, SharedAccessKey, Math.floor(Date.now() / 1000) + 600);
  return new Promise((resolve, reject) => {
    const options = { host, path, method, headers: { Authorization: token.toString(), ...headers } };
    const request = https.request(options, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString() }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function send(deviceId, messageId, body) {
  const headers = { 'iothub-messageid': messageId, 'iothub-ack': 'full', 'iothub-app-colour': 'red' };
  assert.strictEqual((await service('POST', `/devices/${deviceId}/messages/deviceBound`, headers, body)).status, 204);
}

// All that the service is told until now: message ID to outcome.
async function feedback() {
  const told = {};
  for (;;) {
    const batch = await service('GET', '/messages/serviceBound/feedback?api-version=2021-04-12');
    if (batch.status === 204) return told;
    for (const record of JSON.parse(batch.text)) told[record.originalMessageId] = record.statusCode;
    const lock = batch.headers.etag.replaceAll('"', '');
    assert.strictEqual((await service('DELETE', `/messages/serviceBound/feedback/${lock}?api-version=2021-04-12`)).status, 204);
  }
}

function provision(security) {
  const client = ProvisioningDeviceClient.create('global.azure-devices-provisioning.net', emulator.idScope, new ProvisioningTransport(), security);
  return new Promise((resolve, reject) => client.register((error, result) => (error ? reject(error) : resolve(result))));
}

function x509(name) {
  return new X509Security(name, { cert: text(`${name}.pem`), key: text(`${name}-key.pem`) });
}

async function keyed(deviceId) {
  const { responseBody } = await registry.create({ deviceId });
  return `HostName=${host};DeviceId=${deviceId};SharedAccessKey=${responseBody.authentication.symmetricKey.primaryKey}`;
}

async function activity(deviceId) {
  return (await registry.get(deviceId)).responseBody.lastActivityTime;
}

// The group that python_device.py makes, if that has not run.
async function group() {
  const attestation = { type: 'x509', x509: { signingCertificates: { primary: { certificate: text('factory.pem') } } } };
  const own = { enrollmentGroupId: 'sdk', attestation, iotHubs: ['hub-1.azure-devices.net'], allocationPolicy: 'static' };
  const root = JSON.stringify({ properties: { certificate: text('root.pem'), isVerified: true } });
  await dps.getEnrollmentGroup('sdk').catch(async () => {
    await service('PUT', '/certificates/sdk-root', {}, root, connectionString('emulator-dps', 'provisioningserviceowner'));
    await dps.createOrUpdateEnrollmentGroup(own);
  });
}

run({
  'node device is provisioned over HTTPS by its certificate': async () => {
    await group();
    const result = await provision(x509('group-device-2'));
    assert.deepStrictEqual([result.assignedHub, result.deviceId], ['hub-1.azure-devices.net', 'group-device-2']);
  },

  'node device is provisioned over HTTPS by its key, and not by another': async () => {
    const attestation = { type: 'symmetricKey', symmetricKey: {} };
    const { responseBody } = await dps.createOrUpdateIndividualEnrollment({ registrationId: 'https-key', attestation });
    const { primaryKey } = responseBody.attestation.symmetricKey;
    const result = await provision(new SymmetricKeySecurityClient('https-key', primaryKey));
    assert.strictEqual(result.deviceId, 'https-key');
    const other = Buffer.from('another key altogether').toString('base64');
    await assert.rejects(provision(new SymmetricKeySecurityClient('https-key', other)));
    await dps.deleteIndividualEnrollment('https-key');
  },

  'node device sends over HTTPS, one message, a batch, and as who it is by its certificate': async () => {
    const client = Client.fromConnectionString(await keyed('https-sender'), Http);
    const before = await activity('https-sender');
    const message = new Message(JSON.stringify({ t: 4 }));
    message.messageId = 'm-1';
    message.contentType = 'application/json';
    message.contentEncoding = 'utf-8';
    message.properties.add('colour', 'red');
    await client.sendEvent(message);
    await client.sendEventBatch([new Message('a'), message]);
    assert.notStrictEqual(await activity('https-sender'), before);
    await client.close();
    await assert.rejects(Client.fromConnectionString(`HostName=${host};DeviceId=https-sender;SharedAccessKey=AAAA`, Http).sendEvent(message), /Unauthorized|message/);
    const certified = Client.fromConnectionString(`HostName=${host};DeviceId=group-device-2;x509=true`, Http);
    certified.setOptions({ cert: text('group-device-2.pem'), key: text('group-device-2-key.pem') });
    await certified.sendEvent(new Message('by certificate'));
    await certified.close();
    await registry.delete('https-sender');
  },

  'node device completes, rejects and abandons messages over HTTPS, and the service hears of it': async () => {
    const client = Client.fromConnectionString(await keyed('https-receiver'), Http);
    await feedback();
    await send('https-receiver', 'good', 'first');
    await send('https-receiver', 'bad', 'second');
    client.setOptions({ http: { receivePolicy: { interval: 1 } } });
    const seen = [];
    const all = new Promise((resolve, reject) => {
      client.on('error', reject);
      client.on('message', (message) => {
        seen.push(message.messageId);
        const settled = (error) => {
          if (error) reject(error);
          else if (seen.length === 3) resolve();
        };
        if (message.messageId === 'bad') client.reject(message, settled);
        else if (seen.filter((id) => id === 'good').length === 1) client.abandon(message, settled);
        else client.complete(message, settled);
      });
    });
    await withTimeout(all, 'three deliveries');
    await client.close();
    assert.deepStrictEqual(await feedback(), { good: 'Success', bad: 'Rejected' });
    await registry.delete('https-receiver');
  },
});
