// A device with Microsoft's Node SDK, used as its samples use it, options as they are by default.
// See programs.py for what the environment says, and for the lines that are printed.
'use strict';
const fs = require('fs');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { Mqtt: ProvisioningTransport } = require('azure-iot-provisioning-device-mqtt');
const { X509Security } = require('azure-iot-security-x509');
const { Client, Message } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');

const environment = process.env;
const say = (event, more) => console.log(JSON.stringify({ event, ...more }));

function message(number) {
  let body = `{"n":${number},"time":"${new Date().toISOString()}","pad":"`;
  body += 'x'.repeat(Number(environment.PEER_BODY) - body.length - 2) + '"}';
  const made = new Message(body);
  made.contentType = 'application/json';
  made.contentEncoding = 'utf-8';
  return made;
}

async function send(client, number) {
  try {
    await client.sendEvent(message(number));
    if (number === 0) say('acknowledged');
  } catch (error) {
    say('failed', { n: number, error: String(error) });
  }
}

// A reading a second, on a grid, whatever becomes of those before: the SDK queues what can't be sent.
function everySecond(client) {
  const begun = performance.now();
  let number = 0;
  const next = () => {
    send(client, number);
    number += 1;
    setTimeout(next, begun + number * 1000 - performance.now());
  };
  next();
}

async function burst(client, count, inFlight) {
  await send(client, 0);
  say('ready');
  await new Promise((resolve) => process.stdin.once('data', resolve));
  let number = 0;
  const lane = async () => {
    while (number < count) {
      number += 1;
      await send(client, number);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  say('done');
}

async function main() {
  const credentials = {
    cert: fs.readFileSync(environment.PEER_CERTIFICATE, 'ascii'),
    key: fs.readFileSync(environment.PEER_KEY, 'ascii'),
  };
  const provisioning = ProvisioningDeviceClient.create(
    'global.azure-devices-provisioning.net',
    environment.PEER_ID_SCOPE,
    new ProvisioningTransport(),
    new X509Security(environment.PEER_ID, credentials),
  );
  const { assignedHub, deviceId } = await provisioning.register();
  const client = Client.fromConnectionString(`HostName=${assignedHub};DeviceId=${deviceId};x509=true`, Mqtt);
  await client.setOptions(credentials);
  client.on('connect', () => say('up'));
  client.on('disconnect', () => say('down'));
  client.on('error', (error) => say('error', { error: String(error) }));
  await client.open();
  if (environment.PEER_BURST) {
    await burst(client, Number(environment.PEER_BURST), Number(environment.PEER_IN_FLIGHT));
  } else {
    everySecond(client);
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
