import { useRef } from "react";

import { useApp } from "../app.ts";
import { Icon } from "../parts/Icon.tsx";

export function UploadButton() {
  const { uploads } = useApp();
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" className="button button-main" aria-label="Upload files" onClick={() => input.current?.click()}>
        <Icon name="upload" /> <span className="button-label">Upload</span>
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label="Files to upload"
        onChange={(event) => {
          uploads.add(event.target.files ?? []);
          // the same file may be chosen again after it failed
          event.target.value = "";
        }}
      />
    </>
  );
}
