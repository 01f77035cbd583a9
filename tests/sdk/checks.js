// Counts what holds and what does not, and says which.
'use strict';
const fs = require('fs');
const path = require('path');

const lab = process.env.EMULATOR_LAB;
const emulator = JSON.parse(fs.readFileSync(path.join(lab, 'serve.json'), 'utf8'));

function text(name) {
  return fs.readFileSync(path.join(lab, name), 'utf8');
}

function connectionString(service, policy) {
  const found = emulator.connectionStrings.find((s) => s.service.startsWith(service) && s.policy === policy);
  return found.named;
}

function withTimeout(promise, what, milliseconds = 60000) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function run(checks) {
  let passed = 0;
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await withTimeout(check(), name);
      passed += 1;
      console.log(`ok      ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}`);
      console.log(error.stack || error);
    }
  }
  console.log(`RESULT ${passed} ${failed}`);
  process.exit(0);
}

module.exports = { emulator, text, connectionString, withTimeout, run };
