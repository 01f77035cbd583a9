// The emulator in a container, by Testcontainers for Node 10. Its types are checked; it has not been run.
import { AbstractStartedContainer, GenericContainer, StartedTestContainer, Wait } from 'testcontainers';

const MQTT = 8883;
const SERVICE = 8443;
const AMQP = 5671;
const DIRECTORY = '/tmp/cloud';
const SEED = '/tmp/seed';

interface Told {
  service: string;
  policy: string;
  local: string;
}

/** A container to be; `start` starts it. */
export class ContainerTrackerContainer extends GenericContainer {
  private readonly words = [
    'emulator', '--listen', '0.0.0.0', '--directory', DIRECTORY, '--json', '--print-connection-strings', '--retry-after', '1',
  ];

  constructor(image: string) {
    super(image);
    this.withExposedPorts(MQTT, SERVICE, AMQP);
    // The last thing it tells.
    this.withWaitStrategy(Wait.forLogMessage(/emulator\.json/));
  }

  /** What the cloud is to hold when it begins. */
  withSeedFile(file: string): this {
    this.withCopyFilesToContainer([{ source: file, target: SEED }]);
    this.words.push('--seed-file', SEED);
    return this;
  }

  /** What the chance of faults with a probability is reckoned from. */
  withFaultsSeed(seed: number): this {
    this.words.push('--faults-seed', String(seed));
    return this;
  }

  public override async start(): Promise<StartedContainerTracker> {
    this.withCommand(this.words);
    const container = await super.start();
    const authority = await container.exec(['cat', `${DIRECTORY}/server-ca.pem`]);
    return new StartedContainerTracker(container, authority.output, await told(container));
  }
}

async function told(container: StartedTestContainer): Promise<Told[]> {
  const stream = await container.logs();
  const strings: Told[] = [];
  let rest = '';
  for await (const piece of stream) {
    rest += String(piece);
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.includes('emulator.json')) {
        stream.destroy();
        return strings;
      }
      if (line.includes('SharedAccessKeyName')) strings.push(JSON.parse(line.slice(line.indexOf('{'))) as Told);
    }
  }
  return strings;
}

/** A container that runs. */
export class StartedContainerTracker extends AbstractStartedContainer {
  constructor(
    started: StartedTestContainer,
    /** What clients have to trust, in PEM. */
    public readonly authority: string,
    private readonly strings: Told[],
  ) {
    super(started);
  }

  /** The port of MQTT, on this machine. */
  mqttPort(): number {
    return this.getMappedPort(MQTT);
  }

  /** A connection string with the host and the port by which this machine reaches the container. */
  connectionString(service = 'hub-1', policy = 'iothubowner'): string {
    const found = this.strings.find((string) => string.service.startsWith(service) && string.policy === policy);
    if (!found) throw new Error(`no connection string of the policy ${policy} of ${service}`);
    return found.local.replace(/HostName=[^;]*/, `HostName=${this.getHost()}:${this.getMappedPort(SERVICE)}`);
  }
}
