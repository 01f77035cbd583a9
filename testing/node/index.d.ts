/** How a cloud begins. */
export interface CloudOptions {
  /** What it is to hold: a seed file, JSON or TOML. */
  seed?: string;
  /** What the chance of faults with a probability is reckoned from. */
  faultsSeed?: number;
  hubs?: string[];
  /** Further options of `container-tracker emulator`. */
  options?: string[];
  /** Milliseconds. */
  timeout?: number;
}

export interface ConnectionString {
  service: string;
  policy: string;
  /** By Azure's names. */
  named: string;
  /** By localhost. */
  local: string;
}

/** A fault that has struck. */
export interface Strike {
  number: number;
  faultId: number;
  service: string;
  device: string;
  fault: { fault: string } & Record<string, unknown>;
}

/** A DPS and its hubs on free ports of 127.0.0.1. */
export class Cloud {
  readonly directory: string;
  /** What clients have to trust. */
  readonly caFile: string;
  readonly connectionStrings: ConnectionString[];
  readonly idScope: string | undefined;
  /** MQTT. */
  readonly port: number | undefined;
  hub(policy?: string, options?: { name?: string; named?: boolean }): string;
  dps(policy?: string, options?: { named?: boolean }): string;
  /** `container-tracker cloud …` on this cloud; what it shows. */
  run(...words: string[]): Promise<any>;
  strikes(): Promise<Strike[]>;
  stop(): Promise<void>;
}

export function startCloud(options?: CloudOptions): Promise<Cloud>;
