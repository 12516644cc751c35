import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';

/** What the bucket knows an upload in parts by, until it is completed or aborted. */
export interface MultipartId {
  key: string;
  id: string;
}

/** The object is larger than an upload in parts of this size can make it. */
export class TooManyParts extends Error {
  override name = 'TooManyParts';
}

/** An object of unknown size, written part by part. Nothing of it is seen under its key before it is complete. */
export class MultipartUpload {
  /** S3 User Guide, "multipart upload limits". */
  static readonly MOST_PARTS: number = 10_000;
  /** Parts that are there or on their way. */
  private parts: number;

  private constructor(
    private readonly client: S3Client,
    private readonly bucket: string,
    readonly started: MultipartId,
    private readonly etags: string[],
  ) {
    this.parts = etags.length;
  }

  static async begin(client: S3Client, bucket: string, key: string): Promise<MultipartUpload> {
    const request = { Bucket: bucket, Key: key, ContentType: 'application/octet-stream' };
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(request));
    return new MultipartUpload(client, bucket, { key, id: UploadId! }, []);
  }

  /** Goes on with an upload behind parts that are there. @param etags theirs, in order */
  static resume(
    client: S3Client,
    bucket: string,
    started: MultipartId,
    etags: readonly string[],
  ): MultipartUpload {
    return new MultipartUpload(client, bucket, started, [...etags]);
  }

  /**
   * The next part, beside those that are on their way.
   * @param bytes 5 MiB at least but for the last part
   * @param sha256 of them, when it is known already: what is signed of the part
   * @throws TooManyParts before anything is sent
   */
  async add(bytes: Uint8Array, sha256?: Buffer): Promise<{ number: number; etag: string }> {
    if (this.parts === MultipartUpload.MOST_PARTS) throw new TooManyParts();
    const PartNumber = ++this.parts;
    const part = { ...this.named, PartNumber, Body: bytes, ContentLength: bytes.length };
    const command = new UploadPartCommand(part);
    if (sha256)
      command.middlewareStack.add(
        (next) => (step) => {
          // The client takes a hash that is there already, and otherwise computes it.
          const { headers } = step.request as { headers: Record<string, string> };
          headers['x-amz-content-sha256'] = sha256.toString('hex');
          return next(step);
        },
        { step: 'build' },
      );
    const { ETag } = await this.client.send(command);
    this.etags[PartNumber - 1] = ETag!;
    return { number: PartNumber, etag: ETag! };
  }

  async complete(): Promise<void> {
    const Parts = this.etags.map((ETag, index) => ({ ETag, PartNumber: index + 1 }));
    await this.client.send(new CompleteMultipartUploadCommand({ ...this.named, MultipartUpload: { Parts } }));
  }

  /** Forgets the parts of an upload that somebody has begun. One that is not there counts as aborted. */
  static async abort(client: S3Client, bucket: string, { key, id }: MultipartId): Promise<void> {
    try {
      await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: id }));
    } catch (error) {
      if ((error as Error).name !== 'NoSuchUpload') throw error;
    }
  }

  private get named() {
    return { Bucket: this.bucket, Key: this.started.key, UploadId: this.started.id };
  }
}
