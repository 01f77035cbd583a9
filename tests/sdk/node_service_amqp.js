// Microsoft's Node service SDK by AMQP, over TLS and through WebSockets: messages to devices, and what became of them.
'use strict';
const assert = require('assert');
const { Registry, Client, AmqpWs } = require('azure-iothub');
const { Message } = require('azure-iot-common');
const { connectionString, withTimeout, run } = require('./checks');

const hub = connectionString('hub-1', 'iothubowner');
const registry = Registry.fromConnectionString(hub);

// It looks like a UUID, and goes as one of AMQP.
const ID = '00112233-4455-6677-8899-aabbccddeeff';

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error.name;
  }
  return 'none';
}

function feedbackOf(receiver, id) {
  return new Promise((resolve, reject) => {
    receiver.on('errorReceived', reject);
    receiver.on('message', (batch) => {
      const found = JSON.parse(batch.getData()).find((record) => record.originalMessageId === id);
      if (found) resolve(found);
    });
  });
}

async function messages(client, device) {
  await registry.create({ deviceId: device });
  await client.open();
  const opened = await client.getFeedbackReceiver();
  const receiver = opened.result || opened;
  const feedback = feedbackOf(receiver, ID);
  const message = new Message('hello');
  message.messageId = ID;
  message.ack = 'full';
  message.expiryTimeUtc = Date.now() + 2000;
  await client.send(device, message);
  assert.strictEqual(await failure(client.send('nobody', new Message('x'))), 'DeviceNotFoundError');
  const record = await withTimeout(feedback, 'feedback', 20000);
  assert.deepStrictEqual([record.deviceId, record.statusCode], [device, 'Expired']);
  let full = 'none';
  for (let sent = 0; sent < 60 && full === 'none'; sent += 1) full = await failure(client.send(device, new Message('x')));
  assert.strictEqual(full, 'DeviceMaximumQueueDepthExceededError');
  await client.getFileNotificationReceiver();
  await client.close();
}

run({
  'node sends messages and hears what became of them, by AMQP': () =>
    messages(Client.fromConnectionString(hub), 'node-amqp'),
  'node does so by AMQP through WebSockets': () =>
    messages(Client.fromConnectionString(hub, AmqpWs || require('azure-iothub/dist/amqp_ws').AmqpWs), 'node-amqp-ws'),
  'node with a wrong key is refused by AMQP': async () => {
    const wrong = hub.replace(/SharedAccessKey=.*/, `SharedAccessKey=${'QUFB'.repeat(8)}`);
    // The SDK knows which error it is, and then makes another one of it.
    const error = await Client.fromConnectionString(wrong).open().then(() => null, (refused) => refused);
    assert.match(error.amqpError.message, /not made with the key/);
  },
});
