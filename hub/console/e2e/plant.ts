// The plant room behind the hub, by the socket that it is broken and mended with. STEWARD_PLANT_DIR says where it
// runs; without it, where `cargo verify` lets it run.
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";

const DIR =
  process.env["STEWARD_PLANT_DIR"] ?? join(import.meta.dirname, "../../../target/browser-tests/plant");

async function ask(question: Record<string, unknown>): Promise<void> {
  const { control } = JSON.parse(await readFile(join(DIR, "plant.json"), "utf8")) as { control: string };
  const answer = await new Promise<string>((done, failed) => {
    let text = "";
    const line = connect(control, () => line.write(`${JSON.stringify(question)}\n`));
    line.setTimeout(5000, () => line.destroy(new Error("the plant does not answer")));
    line.on("data", (piece) => (text += piece.toString()));
    line.on("error", failed);
    line.on("end", () => done(text));
  });
  const { error } = JSON.parse(answer) as { error: string | null };
  if (error) throw new Error(error);
}

/** The device of this key does not answer until it is mended. */
export const silence = (device: string): Promise<void> =>
  ask({ ask: "break", at: device, fault: "silent", for_ms: null });
export const mend = (device: string): Promise<void> => ask({ ask: "mend", at: device });
