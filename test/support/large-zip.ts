import { once } from 'node:events';
import { createReadStream, createWriteStream, statSync } from 'node:fs';
import { request } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';

/**
 * Writes an archive of stored entries to a file (APPNOTE.TXT section 4.3). Of all the data, one entry is in memory at a
 * time. At most 65,534 entries and 4 GiB, since it writes no ZIP64. Returns its size in bytes.
 */
export async function writeLargeZip(
  file: string,
  entries: Iterable<{ name: string; data: Uint8Array }>,
): Promise<number> {
  const out = createWriteStream(file);
  const directory: Buffer[] = [];
  let offset = 0;
  const append = async (...parts: Uint8Array[]) => {
    for (const bytes of parts) {
      offset += bytes.length;
      if (!out.write(bytes)) await once(out, 'drain');
    }
  };
  for (const { name, data } of entries) {
    const fields = fieldsOf(name, data);
    directory.push(centralHeader(name, fields, offset));
    await append(uint32(0x04034b50), fields, Buffer.from(name), data);
  }
  const start = offset;
  await append(...directory, endRecord(directory.length, start, lengthOf(directory)));
  out.end();
  await once(out, 'finish');
  return offset;
}

/** What stands in both headers of an entry: from the version that is needed to the length of the extra field. */
function fieldsOf(name: string, data: Uint8Array): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0);
  fields.writeUInt32LE(crc32(data), 10);
  fields.writeUInt32LE(data.length, 14);
  fields.writeUInt32LE(data.length, 18);
  fields.writeUInt16LE(Buffer.byteLength(name), 22);
  return fields;
}

function centralHeader(name: string, fields: Buffer, offset: number): Buffer {
  const made = Buffer.from([20, 0]);
  return Buffer.concat([
    uint32(0x02014b50),
    made,
    fields,
    Buffer.alloc(10),
    uint32(offset),
    Buffer.from(name),
  ]);
}

function endRecord(count: number, start: number, size: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(start, 16);
  return end;
}

const lengthOf = (parts: Buffer[]): number => parts.reduce((total, { length }) => total + length, 0);

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** PUTs a file to a presigned URL without holding it in memory; returns the status. */
export async function putFile(url: string, file: string): Promise<number> {
  const sent = request(url, { method: 'PUT', headers: { 'content-length': statSync(file).size } });
  const [[response]] = await Promise.all([once(sent, 'response'), pipeline(createReadStream(file), sent)]);
  response.resume();
  return response.statusCode as number;
}
