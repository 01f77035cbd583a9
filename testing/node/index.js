// Starts a local Azure DPS and IoT Hub for tests: the program `container-tracker emulator`.
'use strict';
const { spawn, execFile } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const readline = require('readline');

const PROGRAM = process.env.CONTAINER_TRACKER || 'container-tracker';

/** A DPS and its hubs on free ports of 127.0.0.1; made by `startCloud`. */
class Cloud {
  constructor(child, directory) {
    this.child = child;
    this.directory = directory;
    this.caFile = path.join(directory, 'server-ca.pem');
    this.connectionStrings = [];
    this.idScope = undefined;
    this.port = undefined;
  }

  #string(label, policy, form) {
    const found = this.connectionStrings.find(
      (string) => string.service.startsWith(label) && string.policy === policy && string[form].startsWith('HostName'),
    );
    if (!found) throw new Error(`no connection string of the policy ${policy} of ${label}`);
    return found[form];
  }

  hub(policy = 'iothubowner', { name = 'hub-1', named = false } = {}) {
    return this.#string(`${name}.`, policy, named ? 'named' : 'local');
  }

  dps(policy = 'provisioningserviceowner', { named = false } = {}) {
    return this.#string('emulator-dps.', policy, named ? 'named' : 'local');
  }

  run(...words) {
    const all = ['cloud', '--emulator', this.directory, ...words, '--output', 'json'];
    return new Promise((resolve, reject) => {
      execFile(PROGRAM, all, { maxBuffer: 64 * 1024 * 1024 }, (error, out, told) => {
        if (error) reject(new Error(`${words.join(' ')}: ${told.trim() || error.message}`));
        else resolve(out.trim() ? JSON.parse(out) : undefined);
      });
    });
  }

  strikes() {
    return this.run('fault', 'history');
  }

  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = new Promise((resolve) => { this.child.once('exit', resolve); });
      this.child.kill('SIGTERM');
      const late = setTimeout(() => this.child.kill('SIGKILL'), 10000);
      await ended;
      clearTimeout(late);
    }
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Takes what the emulator tells when it begins; `true` when all of it is told. */
function hear(cloud, told) {
  if (told.idScope) {
    cloud.idScope = told.idScope;
    cloud.port = Number(told.address.slice(told.address.lastIndexOf(':') + 1));
  } else if (told.local) {
    cloud.connectionStrings.push(told);
  }
  return told.file !== undefined;
}

async function startCloud({ seed, faultsSeed = 0, hubs = ['hub-1'], options = [], timeout = 30000 } = {}) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'container-tracker-'));
  const words = ['emulator', '--port', '0', '--json', '--print-connection-strings', '--no-rsa', '--retry-after', '1',
    '--faults-seed', String(faultsSeed), '--directory', directory];
  hubs.forEach((hub) => words.push('--hub', hub));
  if (seed !== undefined) words.push('--seed-file', seed);
  const child = spawn(PROGRAM, [...words, ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
  const cloud = new Cloud(child, directory);
  let errors = '';
  child.stderr.on('data', (data) => { errors = (errors + data).slice(-10000); });
  const begun = new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('the emulator did not start in time')), timeout);
    const end = (settle, value) => { clearTimeout(late); settle(value); };
    child.once('error', (error) => end(reject, new Error(`no ${PROGRAM}: put it in the path, or its file into CONTAINER_TRACKER (${error.code})`)));
    child.once('close', () => end(reject, new Error(`the emulator did not start: ${errors.trim()}`)));
    // Read to its end, or the emulator would wait for somebody to read.
    readline.createInterface({ input: child.stdout }).on('line', (line) => {
      if (hear(cloud, JSON.parse(line))) end(resolve);
    });
  });
  try {
    await begun;
  } catch (error) {
    await cloud.stop();
    throw error;
  }
  return cloud;
}

module.exports = { startCloud, Cloud };
