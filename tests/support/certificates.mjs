// SPDX-License-Identifier: Apache-2.0
// A certificate authority that lives for one test file, and the certificates it signs for the loopback.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const openssl = (args) => execFileSync("openssl", args, { stdio: ["ignore", "pipe", "pipe"] });

export class Authority {
  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), "ghca-"));
    chmodSync(this.directory, 0o755); // a service that is not root reads from here
    this.file = join(this.directory, "ca.pem");
    this.keyFile = join(this.directory, "ca.key");
    openssl(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
      "-subj", "/CN=Gatehouse test authority", "-addext", "basicConstraints=critical,CA:TRUE",
      "-addext", "keyUsage=critical,keyCertSign", "-keyout", this.keyFile, "-out", this.file]);
    this.pem = readFileSync(this.file, "utf8");
  }

  // A certificate for 127.0.0.1 and localhost: names of its files, and their texts.
  issue(name) {
    const at = (ending) => join(this.directory, `${name}.${ending}`);
    writeFileSync(at("ext"), "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n");
    openssl(["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", `/CN=${name}`,
      "-keyout", at("key"), "-out", at("csr")]);
    openssl(["x509", "-req", "-in", at("csr"), "-CA", this.file, "-CAkey", this.keyFile, "-CAcreateserial",
      "-days", "2", "-extfile", at("ext"), "-out", at("pem")]);
    return { certFile: at("pem"), keyFile: at("key"), cert: readFileSync(at("pem"), "utf8"), key: readFileSync(at("key"), "utf8") };
  }

  remove() { rmSync(this.directory, { recursive: true, force: true }); }
}
