// Microsoft's Node device SDKs through WebSockets, on port 443: provisioning with X.509, and a hub by certificate and by key.
'use strict';
const assert = require('assert');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { MqttWs: ProvisioningTransport } = require('azure-iot-provisioning-device-mqtt');
const { X509Security } = require('azure-iot-security-x509');
const { Client, Message } = require('azure-iot-device');
const { MqttWs } = require('azure-iot-device-mqtt');
const { Registry } = require('azure-iothub');
const { emulator, text, connectionString, withTimeout, run } = require('./checks');

const registry = Registry.fromConnectionString(connectionString('hub-1', 'iothubowner'));
const credentials = { cert: text('group-device.pem'), key: text('group-device-key.pem') };

async function talk(device, id) {
  await device.open();
  for (const body of ['through a WebSocket', 'x'.repeat(200000)]) await device.sendEvent(new Message(body));
  const twin = await device.getTwin();
  await new Promise((resolve, reject) => twin.properties.reported.update({ node: { websocket: true } }, (error) => (error ? reject(error) : resolve())));
  assert.strictEqual((await registry.getTwin(id)).responseBody.properties.reported.node.websocket, true);
  await device.close();
}

run({
  'node device is provisioned through a WebSocket and lives at its hub': async () => {
    const security = new X509Security('group-device', credentials);
    const client = ProvisioningDeviceClient.create('global.azure-devices-provisioning.net', emulator.idScope, new ProvisioningTransport(), security);
    const assigned = await withTimeout(client.register(), 'an assignment', 20000);
    assert.strictEqual(assigned.assignedHub, 'hub-1.azure-devices.net');
    const device = Client.fromConnectionString('HostName=hub-1.azure-devices.net;DeviceId=group-device;x509=true', MqttWs);
    await device.setOptions(credentials);
    await talk(device, 'group-device');
  },

  'node device lives at its hub by key through a WebSocket': async () => {
    const id = 'websocket-keyed-node';
    const made = (await registry.create({ deviceId: id })).responseBody;
    const key = made.authentication.symmetricKey.primaryKey;
    await talk(Client.fromConnectionString(`HostName=hub-1.azure-devices.net;DeviceId=${id};SharedAccessKey=${key}`, MqttWs), id);
    await registry.delete(id);
  },
});
