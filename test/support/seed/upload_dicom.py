#!/usr/bin/env python3
#!/usr/bin/env python3
import argparse
import os
import sys
import requests

def get_presigned_upload(api_base_url: str):
    """
    Call GET /upload to retrieve { url, key } for an S3 PUT.
    """
    resp = requests.get(f"{api_base_url.rstrip('/')}/upload/")
    resp.raise_for_status()
    data = resp.json()
    return data['url'], data['key']

def upload_file_to_s3(presigned_url: str, file_path: str):
    """
    Perform the HTTP PUT to S3 using the presigned URL.
    """
    with open(file_path, 'rb') as f:
        body = f.read()

    resp = requests.put(url=presigned_url, data=body,
                        headers={'Content-Type': 'application/dicom'})
    resp.raise_for_status()
    return resp

def gather_files(path: str):
    """
    If path is a file, return [path];
    if it's a directory, walk it and return every file under it.
    """
    if os.path.isfile(path):
        return [path]

    if os.path.isdir(path):
        all_files = []
        for root, _, files in os.walk(path):
            for name in files:
                all_files.append(os.path.join(root, name))
        return sorted(all_files)

    print(f"Error: '{path}' is not a file or directory", file=sys.stderr)
    sys.exit(1)

def main():
    parser = argparse.ArgumentParser(
        description="Upload a DICOM file or entire folder of DICOMs via your S3-backed API"
    )
    parser.add_argument(
        '--api-endpoint', '-u',
        required=True,
        help="Base URL of your API (e.g. https://api.example.com)"
    )
    parser.add_argument(
        '--path', '-p',
        required=True,
        help="Path to a DICOM file or a directory containing DICOM files"
    )
    args = parser.parse_args()

    # Collect one or many files
    file_paths = gather_files(args.path)
    if not file_paths:
        print(f"No files found under {args.path}", file=sys.stderr)
        sys.exit(1)

    print(f"Found {len(file_paths)} file(s) to upload.")

    for idx, file_path in enumerate(file_paths, start=1):
        print(f"\n[{idx}/{len(file_paths)}] Uploading {file_path!r}...")
        try:
            presigned_url, key = get_presigned_upload(args.api_endpoint)
            print(f" → Presigned URL acquired; S3 key will be: {key}")

            upload_file_to_s3(presigned_url, file_path)
            print(f" ✔ Success: {file_path!r} → s3://<bucket>/{key}")

        except requests.HTTPError as he:
            print(f"HTTP error for {file_path!r}: "
                  f"{he.response.status_code} – {he.response.text}",
                  file=sys.stderr)
            sys.exit(1)
        except Exception as ex:
            print(f"Error uploading {file_path!r}: {ex}", file=sys.stderr)
            sys.exit(1)

    print("\nAll done!")

if __name__ == '__main__':
    main()
