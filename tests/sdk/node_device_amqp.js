// Microsoft's Node device SDKs over AMQP, by TCP and by WebSocket: provisioning with X.509 and with symmetric keys, and
// everything a device does at its hub.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const https = require('https');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const provisioningTransports = require('azure-iot-provisioning-device-amqp');
const { X509Security } = require('azure-iot-security-x509');
const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key');
const { Client, Message } = require('azure-iot-device');
const deviceTransports = require('azure-iot-device-amqp');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
const { Registry, Client: ServiceClient, ConnectionString, SharedAccessSignature } = require('azure-iothub');
const { emulator, text, connectionString, withTimeout, run } = require('./checks');

const hub = connectionString('hub-1', 'iothubowner');
const registry = Registry.fromConnectionString(hub);

function credentials(name) {
  return { cert: text(`${name}.pem`), key: text(`${name}-key.pem`) };
}

function register(security, Transport) {
  const client = ProvisioningDeviceClient.create('global.azure-devices-provisioning.net', emulator.idScope, new Transport(), security);
  return new Promise((resolve, reject) => client.register((error, result) => (error ? reject(error) : resolve(result))));
}

function send(deviceId, body) {
  const parsed = ConnectionString.parse(hub);
  const host = parsed.HostName;
  const token = SharedAccessSignature.create(host, parsed.SharedAccessKeyName, parsed.SharedAccessKey, Math.floor(Date.now() / 1000) + 600);
  return new Promise((resolve, reject) => {
    const headers = { Authorization: token.toString(), 'iothub-messageid': body };
    const request = https.request({ host, path: `/devices/${deviceId}/messages/deviceBound`, method: 'POST', headers }, (response) => {
      response.resume();
      response.on('end', () => (response.statusCode === 204 ? resolve() : reject(new Error(`${response.statusCode}`))));
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function withX509(Transport) {
  const device = Client.fromConnectionString('HostName=hub-1.azure-devices.net;DeviceId=group-device;x509=true', Transport);
  await device.setOptions(credentials('group-device'));
  await device.open();
  return device;
}

async function until(holds, what) {
  for (let turn = 0; turn < 200; turn += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${what}: not in time`);
}

function checks(name, Provisioning, Device) {
  return {
    [`node device over ${name} is provisioned through a group and an individual enrollment`]: async () => {
      const grouped = await register(new X509Security('group-device', credentials('group-device')), Provisioning);
      assert.strictEqual(grouped.assignedHub, 'hub-1.azure-devices.net');
      const single = await register(new X509Security('single-device', credentials('single-device')), Provisioning);
      assert.deepStrictEqual([single.assignedHub, single.deviceId], ['hub-2.azure-devices.net', 'renamed']);
    },

    [`node device over ${name} is provisioned with a symmetric key, and lives by tokens`]: async () => {
      const registrationId = `key-${name}-device`;
      const dps = ProvisioningServiceClient.fromConnectionString(connectionString('emulator-dps', 'provisioningserviceowner'));
      const key = crypto.randomBytes(64).toString('base64');
      const attestation = { type: 'symmetricKey', symmetricKey: { primaryKey: key, secondaryKey: key } };
      await dps.createOrUpdateIndividualEnrollment({ registrationId, attestation, allocationPolicy: 'static', iotHubs: ['hub-1.azure-devices.net'] });
      const wrong = new SymmetricKeySecurityClient(registrationId, crypto.randomBytes(64).toString('base64'));
      await assert.rejects(register(wrong, Provisioning));
      const assigned = await register(new SymmetricKeySecurityClient(registrationId, key), Provisioning);
      const device = Client.fromConnectionString(`HostName=${assigned.assignedHub};DeviceId=${registrationId};SharedAccessKey=${key}`, Device);
      await device.open();
      await device.sendEvent(new Message('hello'));
      await device.close();
      const other = crypto.randomBytes(64).toString('base64');
      const stranger = Client.fromConnectionString(`HostName=${assigned.assignedHub};DeviceId=${registrationId};SharedAccessKey=${other}`, Device);
      await assert.rejects(stranger.open(), (error) => error.name === 'UnauthorizedError');
      await dps.deleteIndividualEnrollment(registrationId);
    },

    [`node device over ${name} sends telemetry, and what is too large is refused`]: async () => {
      const device = await withX509(Device);
      const telemetry = new Message(JSON.stringify({ temperature: 4.5 }));
      telemetry.messageId = crypto.randomUUID();
      telemetry.contentType = 'application/json';
      telemetry.contentEncoding = 'utf-8';
      telemetry.properties.add('alarm', 'true');
      await device.sendEvent(telemetry);
      await assert.rejects(device.sendEvent(new Message(Buffer.alloc(300 * 1024))), (error) => error.name === 'MessageTooLargeError');
      await device.sendEvent(new Message('still here'));
      assert.strictEqual((await registry.get('group-device')).responseBody.connectionState, 'Connected');
      await device.close();
      const left = async () => (await registry.get('group-device')).responseBody.connectionState === 'Disconnected';
      await until(left, 'the device leaves');
    },

    [`node device over ${name} completes, abandons and rejects messages`]: async () => {
      const device = await withX509(Device);
      const seen = [];
      device.on('message', (message) => {
        const body = message.data.toString();
        seen.push(body);
        const done = (error) => { if (error) seen.push(error.message); };
        if (body === 'again' && seen.filter((known) => known === 'again').length === 1) device.abandon(message, done);
        else if (body === 'no') device.reject(message, done);
        else device.complete(message, done);
      });
      for (const body of ['yes', 'again', 'no', 'end']) await send('group-device', body);
      await until(() => seen.includes('end') && seen.filter((body) => body === 'again').length === 2, `messages, of ${seen}`);
      const empty = async () => (await registry.get('group-device')).responseBody.cloudToDeviceMessageCount === 0;
      await until(empty, 'the queue is empty');
      assert.deepStrictEqual(seen.slice().sort(), ['again', 'again', 'end', 'no', 'yes']);
      await device.close();
    },

    [`node device over ${name} answers methods`]: async () => {
      const device = await withX509(Device);
      device.onDeviceMethod('echo', (request, response) => response.send(200, { echo: request.payload }));
      const called = await ServiceClient.fromConnectionString(hub)
        .invokeDeviceMethod('group-device', { methodName: 'echo', payload: { a: 1 }, connectTimeoutInSeconds: 20, responseTimeoutInSeconds: 20 });
      assert.deepStrictEqual(called.result, { status: 200, payload: { echo: { a: 1 } } });
      await device.close();
    },

    [`node device over ${name} has a twin`]: async () => {
      const device = await withX509(Device);
      const twin = await device.getTwin();
      assert.ok(twin.properties.desired.telemetryInterval);
      const report = (patch) => new Promise((resolve, reject) => twin.properties.reported.update(patch, (error) => (error ? reject(error) : resolve())));
      await report({ node: { transport: name } });
      await assert.rejects(report({ node: 'x'.repeat(40000) }));
      const value = crypto.randomInt(1000000);
      const changed = new Promise((resolve) => twin.on('properties.desired', (delta) => {
        if (delta.fromNode === value) resolve();
      }));
      // The SDK subscribes after `on` returns, and does not say when it has.
      const patch = setInterval(() => registry.updateTwin('group-device', { properties: { desired: { fromNode: value } } }, '*').catch(() => {}), 500);
      await withTimeout(changed, 'a desired property', 20000).finally(() => clearInterval(patch));
      const seen = (await registry.getTwin('group-device')).responseBody;
      assert.strictEqual(seen.properties.reported.node.transport, name);
      await device.close();
    },

    [`node device over ${name} with a wrong certificate, or none, is refused`]: async () => {
      const device = Client.fromConnectionString('HostName=hub-1.azure-devices.net;DeviceId=group-device;x509=true', Device);
      await device.setOptions(credentials('group-device-2'));
      // With certificates nothing is said before the first link.
      const used = device.open().then(() => device.sendEvent(new Message('x')));
      await assert.rejects(used, (error) => error.name === 'UnauthorizedError');
      await device.close().catch(() => {});
      const stranger = new X509Security('nobody', credentials('group-device'));
      await assert.rejects(register(stranger, Provisioning));
    },
  };
}

const transports = {
  amqp: [provisioningTransports.Amqp, deviceTransports.Amqp],
  'amqp-ws': [provisioningTransports.AmqpWs, deviceTransports.AmqpWs],
};
const wanted = (process.env.TRANSPORTS || 'amqp amqp-ws').split(' ');
run(Object.assign({}, ...wanted.map((name) => checks(name, ...transports[name]))));
