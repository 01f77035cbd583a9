// The helper, tried on the program.
'use strict';
const assert = require('assert');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { test } = require('node:test');
const { startCloud } = require('..');

test('a cloud begins as its seed says', async () => {
  const cloud = await startCloud({ seed: path.join(__dirname, '../../seed.toml'), faultsSeed: 7 });
  try {
    assert.match(cloud.hub(), /HostName=localhost:.*SharedAccessKeyName=iothubowner/);
    assert.match(cloud.dps('provisioningserviceowner', { named: true }), /azure-devices-provisioning\.net/);
    assert.ok(fs.readFileSync(cloud.caFile, 'utf8').startsWith('-----BEGIN CERTIFICATE'));
    const twin = await cloud.run('twin', 'show', '--device-id', 'sensor-1');
    assert.deepStrictEqual([twin.tags.customer, twin.properties.desired.telemetryInterval], ['ACME', 30]);
    assert.deepStrictEqual(await cloud.strikes(), []);
  } finally {
    await cloud.stop();
  }
  assert.ok(!fs.existsSync(cloud.directory));
});

test('a seed that is wrong is told with its line', async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'seed-'));
  const seed = path.join(directory, 'seed.json');
  fs.writeFileSync(seed, '{"devices": [\n{"id": "b", "hub": "nowhere"}]}');
  await assert.rejects(startCloud({ seed }), /line 2: devices\[0\], "b" names the hub "nowhere"/);
  fs.rmSync(directory, { recursive: true });
});
