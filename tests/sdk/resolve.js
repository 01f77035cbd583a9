// Lets the names of Azure lead to the emulator, in this process alone; the SDKs are untouched.
'use strict';
const dns = require('dns');
const lookup = dns.lookup;
dns.lookup = (name, options, callback) => {
  const azure = /\.azure-devices(-provisioning)?\.net$/.test(name);
  return lookup(azure ? process.env.EMULATOR_ADDRESS : name, options, callback);
};
