// Microsoft's Node device SDKs: provisioning with X.509, and everything a device does at its hub.
'use strict';
const assert = require('assert');
const https = require('https');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { Mqtt: ProvisioningTransport } = require('azure-iot-provisioning-device-mqtt');
const { X509Security } = require('azure-iot-security-x509');
const { Client, Message } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
const { Registry, Client: ServiceClient, ConnectionString, SharedAccessSignature } = require('azure-iothub');
const { emulator, text, connectionString, withTimeout, run } = require('./checks');

const hub = connectionString('hub-1', 'iothubowner');
const registry = Registry.fromConnectionString(hub);

function credentials(name) {
  return { cert: text(`${name}.pem`), key: text(`${name}-key.pem`) };
}

function provision(name) {
  const security = new X509Security(name, credentials(name));
  const client = ProvisioningDeviceClient.create('global.azure-devices-provisioning.net', emulator.idScope, new ProvisioningTransport(), security);
  return new Promise((resolve, reject) => client.register((error, result) => (error ? reject(error) : resolve(result))));
}

// Messages to devices go by AMQP in the SDK; this is the emulator's own way.
function send(deviceId, body) {
  const parsed = ConnectionString.parse(hub);
  const host = parsed.HostName;
  const token = SharedAccessSignature.create(host, parsed.SharedAccessKeyName, parsed.SharedAccessKey, Math.floor(Date.now() / 1000) + 600);
  return new Promise((resolve, reject) => {
    const headers = { Authorization: token.toString(), 'iothub-messageid': 'm-1' };
    const request = https.request({ host, path: `/devices/${deviceId}/messages/deviceBound`, method: 'POST', headers }, (response) => {
      response.resume();
      response.on('end', () => (response.statusCode === 204 ? resolve() : reject(new Error(`${response.statusCode}`))));
    });
    request.on('error', reject);
    request.end(body);
  });
}

run({
  'node device is provisioned through a group and an individual enrollment': async () => {
    const grouped = await provision('group-device');
    assert.strictEqual(grouped.assignedHub, 'hub-1.azure-devices.net');
    const single = await provision('single-device');
    assert.deepStrictEqual([single.assignedHub, single.deviceId], ['hub-2.azure-devices.net', 'renamed']);
  },

  'node device whose own enrollment is disabled is not assigned': async () => {
    const attestation = { type: 'x509', x509: { clientCertificates: { primary: { certificate: text('group-device-2.pem').split('-----END CERTIFICATE-----')[0] + '-----END CERTIFICATE-----' } } } };
    const dps = ProvisioningServiceClient.fromConnectionString(connectionString('emulator-dps', 'provisioningserviceowner'));
    await dps.createOrUpdateIndividualEnrollment({ registrationId: 'group-device-2', attestation, provisioningStatus: 'disabled' });
    await assert.rejects(provision('group-device-2'));
    assert.strictEqual((await dps.getDeviceRegistrationState('group-device-2')).responseBody.status, 'disabled');
    await dps.deleteIndividualEnrollment('group-device-2');
  },

  'node device lives at its hub': async () => {
    const device = Client.fromConnectionString('HostName=hub-1.azure-devices.net;DeviceId=group-device;x509=true', Mqtt);
    await device.setOptions(credentials('group-device'));
    await device.open();
    const telemetry = new Message(JSON.stringify({ temperature: 4.5 }));
    telemetry.messageId = 't-2';
    telemetry.contentType = 'application/json';
    telemetry.contentEncoding = 'utf-8';
    await device.sendEvent(telemetry);

    const twin = await device.getTwin();
    assert.ok(twin.properties.desired.telemetryInterval);
    await new Promise((resolve, reject) => twin.properties.reported.update({ node: { up: true } }, (error) => (error ? reject(error) : resolve())));
    const changed = new Promise((resolve) => twin.on('properties.desired', (delta) => {
      if (delta.fromNode === 11) resolve();
    }));
    // The SDK subscribes after `on` returns, and does not say when it has.
    const patch = setInterval(() => registry.updateTwin('group-device', { properties: { desired: { fromNode: 11 } } }, '*').catch(() => {}), 500);
    await withTimeout(changed, 'a desired property', 20000).finally(() => clearInterval(patch));
    const seen = (await registry.getTwin('group-device')).responseBody;
    assert.strictEqual(seen.properties.reported.node.up, true);

    device.onDeviceMethod('echo', (request, response) => response.send(200, { echo: request.payload }));
    const called = await ServiceClient.fromConnectionString(hub)
      .invokeDeviceMethod('group-device', { methodName: 'echo', payload: { a: 1 }, connectTimeoutInSeconds: 20, responseTimeoutInSeconds: 20 });
    assert.deepStrictEqual(called.result, { status: 200, payload: { echo: { a: 1 } } });

    const received = new Promise((resolve) => device.on('message', (message) => {
      device.complete(message, () => resolve(message));
    }));
    await send('group-device', 'hello');
    const message = await withTimeout(received, 'a message', 20000);
    assert.strictEqual(message.data.toString(), 'hello');
    await device.close();

    const renamed = Client.fromConnectionString('HostName=hub-2.azure-devices.net;DeviceId=renamed;x509=true', Mqtt);
    await renamed.setOptions(credentials('single-device'));
    await renamed.open();
    await renamed.sendEvent(new Message('hello'));
    await renamed.close();
  },

  'node device with a wrong certificate is refused': async () => {
    const device = Client.fromConnectionString('HostName=hub-1.azure-devices.net;DeviceId=group-device;x509=true', Mqtt);
    await device.setOptions(credentials('group-device-2'));
    await assert.rejects(device.open(), (error) => error.name === 'UnauthorizedError');
  },
});
