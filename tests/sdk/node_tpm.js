// Microsoft's Node SDKs with a TPM: azure-iot-security-tpm registers with DPS over a transport, and the hub knows the device by
// tokens that the TPM signs. scripts/check-tpm runs it.
//
//   node_tpm.js key                     prints the endorsement key, base64 of TPM2B_PUBLIC
//   node_tpm.js Amqp | AmqpWs | Http    registers so, sends a message to the hub, and prints its ID
//
// TPM_PORT is that of swtpm, which takes commands as they are; REGISTRATION_ID and ID_SCOPE say who registers where.
'use strict';
const net = require('net');
const { Tpm } = require('tss.js');
const { TpmSecurityClient, TpmAuthenticationProvider } = require('azure-iot-security-tpm');

// What tss.js has instead is for Microsoft's simulator, which frames commands in a way of its own.
class RawTpm {
  connect(done) {
    this.socket = net.connect(Number(process.env.TPM_PORT), '127.0.0.1', () => done(null));
    this.socket.on('error', (error) => { throw error; });
    return null;
  }

  dispatchCommand(command, done) {
    let answer = Buffer.alloc(0);
    const take = (bytes) => {
      answer = Buffer.concat([answer, bytes]);
      if (answer.length < 10 || answer.length < answer.readUInt32BE(2)) return;
      this.socket.off('data', take);
      setImmediate(done, null, answer);
    };
    this.socket.on('data', take);
    this.socket.write(command);
  }

  close() {
    this.socket.end();
  }
}

function security() {
  const tpm = new Tpm(true);
  tpm.device = new RawTpm();
  return new TpmSecurityClient(process.env.REGISTRATION_ID, tpm);
}

const asked = (call) => new Promise((resolve, reject) => call((error, result) => (error ? reject(error) : resolve(result))));

async function register(client, transport) {
  const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
  const transports = transport === 'Http' ? require('azure-iot-provisioning-device-http') : require('azure-iot-provisioning-device-amqp');
  const host = 'global.azure-devices-provisioning.net';
  const dps = ProvisioningDeviceClient.create(host, process.env.ID_SCOPE, new transports[transport](), client);
  const { status, registrationState } = await asked((done) => dps.register(done));
  if (status !== 'assigned') throw new Error(`DPS says ${status}`);
  return registrationState;
}

async function send(client, transport, { assignedHub, deviceId }) {
  const { Client, Message } = require('azure-iot-device');
  const transports = transport === 'Http' ? require('azure-iot-device-http') : require('azure-iot-device-amqp');
  const tokens = TpmAuthenticationProvider.fromTpmSecurityClient(deviceId, assignedHub, client);
  const device = Client.fromAuthenticationProvider(tokens, transports[transport]);
  await device.open();
  const message = new Message('{}');
  message.messageId = `${transport}-${Date.now()}`;
  await device.sendEvent(message);
  await device.close();
  return message.messageId;
}

async function main(what) {
  const client = security();
  if (what === 'key') return (await asked((done) => client.getEndorsementKey(done))).toString('base64');
  return send(client, what, await register(client, what));
}

main(process.argv[2]).then((said) => {
  console.log(said);
  process.exit(0);
}, (error) => {
  console.error(`${error.name}: ${error.message}`);
  process.exit(1);
});
