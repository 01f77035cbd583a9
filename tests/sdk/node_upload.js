// Files that devices upload, with Microsoft's Node SDKs: the device's own upload, and the notification to the service by AMQP.
'use strict';
const assert = require('assert');
const { Readable } = require('stream');
const { Registry, Client: ServiceClient } = require('azure-iothub');
const { Client: DeviceClient } = require('azure-iot-device');
const { Http } = require('azure-iot-device-http');
const { Mqtt } = require('azure-iot-device-mqtt');
const { connectionString, withTimeout, run } = require('./checks');

const hub = connectionString('hub-1', 'iothubowner');
const host = /HostName=([^;:]*)/.exec(hub)[1];

async function deviceString(deviceId) {
  const made = await Registry.fromConnectionString(hub).create({ deviceId });
  const key = made.responseBody.authentication.symmetricKey.primaryKey;
  return `HostName=${host};DeviceId=${deviceId};SharedAccessKey=${key}`;
}

async function upload(transport, deviceId, size) {
  const service = ServiceClient.fromConnectionString(hub);
  await service.open();
  const opened = await service.getFileNotificationReceiver();
  const receiver = opened.result || opened;
  const told = new Promise((resolve, reject) => {
    receiver.on('errorReceived', reject);
    receiver.on('message', (message) => {
      const notice = JSON.parse(message.getData());
      receiver.complete(message, () => {});
      if (notice.deviceId === deviceId) resolve(notice);
    });
  });
  const device = DeviceClient.fromConnectionString(await deviceString(deviceId), transport);
  await device.open();
  await device.uploadToBlob('logs/node', Readable.from(Buffer.alloc(size, 'x')), size);
  const notice = await withTimeout(told, 'the notification');
  assert.deepStrictEqual([notice.blobName, notice.blobSizeInBytes], [`${deviceId}/logs/node`, size]);
  await device.close();
  await service.close();
}

run({
  'node uploads a small file, by HTTPS': () => upload(Http, 'node-upload', 10),
  'node uploads a large file in blocks, beside MQTT': () => upload(Mqtt, 'node-upload-big', 9 * 1024 * 1024),
});
