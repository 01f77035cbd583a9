// Enrollments, certificates and records in words.

import { dig, text, texts } from "../parts/loose.js";

/** By what a device proves who it is. */
export function attestation(enrollment: unknown): string {
  const kind = text(dig(enrollment, "attestation", "type"));
  if (kind === "symmetricKey") return "Symmetric key";
  if (kind === "tpm") return "TPM";
  const x509 = dig(enrollment, "attestation", "x509");
  const references = ["primary", "secondary"].map((slot) => text(dig(x509, "caReferences", slot))).filter((name) => name !== null);
  if (references.length > 0) return `CA ${references.join(" and ")}`;
  for (const [member, word] of [["signingCertificates", "signed by"], ["clientCertificates", "certificate"]] as const) {
    const subjects = ["primary", "secondary"].map((slot) => subject(dig(x509, member, slot))).filter((name) => name !== null);
    if (subjects.length > 0) return `X.509, ${word} ${subjects.join(" and ")}`;
  }
  return kind === null ? "not said" : kind === "x509" ? "X.509" : kind;
}

function subject(slot: unknown): string | null {
  const info = dig(slot, "info");
  const name = text(dig(info, "subjectName")) ?? text(dig(info, "sha256Thumbprint")) ?? text(dig(info, "sha1Thumbprint"));
  return name === null ? null : name.replace(/^CN=/, "");
}

/** Which hubs its devices may get, and how one of them is chosen. */
export function allocation(enrollment: unknown): string {
  const hubs = [...texts(dig(enrollment, "iotHubs")), text(dig(enrollment, "iotHubHostName"))].filter((hub) => hub !== null);
  const policy = text(dig(enrollment, "allocationPolicy"));
  const where = hubs.length === 0 ? "every hub" : [...new Set(hubs.map((hub) => hub.split(".")[0] ?? hub))].join(", ");
  return policy === null ? where : `${where} (${policy})`;
}

/** A CA certificate, whose members may lie beneath `properties`, and what it says of itself beneath `info`. */
export function certificate(value: unknown): { name: string; subject: string | null; expires: string | null; isVerified: boolean; thumbprint: string | null } {
  const of = (member: string): unknown => dig(value, "properties", member) ?? dig(value, member);
  return {
    name: text(dig(value, "name")) ?? "",
    subject: subject(value) ?? text(of("subject"))?.replace(/^CN=/, "") ?? null,
    expires: text(of("expiry")) ?? text(dig(value, "info", "notAfterUtc")),
    isVerified: of("isVerified") === true,
    thumbprint: text(of("thumbprint")) ?? text(dig(value, "info", "sha256Thumbprint")),
  };
}

/** Why a registration failed; null where it did not. */
export function failure(registration: unknown): string | null {
  const code = dig(registration, "errorCode");
  const message = text(dig(registration, "errorMessage"));
  if (typeof code !== "number" && message === null) return null;
  const isNew = typeof code === "number" && !(message ?? "").includes(String(code));
  return [message, isNew ? `(${code})` : null].filter(Boolean).join(" ");
}

/** The devices of each reason, the reason of most first. */
export function byReason<T extends { id: string; refusal: string | null }>(rows: readonly T[]): { reason: string; ids: string[] }[] {
  const found = new Map<string, string[]>();
  for (const row of rows) {
    const why = row.refusal ?? "The reason was not told.";
    found.set(why, [...(found.get(why) ?? []), row.id]);
  }
  return [...found].map(([reason, ids]) => ({ reason, ids })).sort((a, b) => b.ids.length - a.ids.length || a.reason.localeCompare(b.reason));
}
