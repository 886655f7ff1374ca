import { KeelsonError } from '../base/index.ts'

/**
 * A unit of systemd for `keelson cri`. Containers are not the server's: KillMode=process leaves them running when it
 * stops or restarts, Delegate=yes keeps systemd's hands off the cgroups below its own, TasksMax=infinity does not
 * count them all against the server.
 */
export function unitFile(launcher: string, config: unknown): string {
  const path = typeof config === 'string' ? config : undefined
  if (path !== undefined && !/^\/\S*$/.test(path))
    throw new KeelsonError(
      'INVALID_ARGUMENT',
      `--config ${path}: a unit needs an absolute path without blanks`,
    )
  return `[Unit]
Description=keelson CRI endpoint
After=network-online.target
Wants=network-online.target
Before=kubelet.service

[Service]
Type=notify
ExecStart=${launcher} cri${path === undefined ? '' : ` --config ${path}`}
Restart=always
RestartSec=1
KillMode=process
Delegate=yes
TasksMax=infinity
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
OOMScoreAdjust=-999

[Install]
WantedBy=multi-user.target
`
}
