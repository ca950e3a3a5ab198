{{/* The ports of what serves traffic. */}}
{{- define "tidegate.ports.traffic" -}}
{{- $controller := .Values.controller -}}
{{- range $name := list "http" "https" -}}
- name: {{ $name }}
  containerPort: {{ include "tidegate.port" (list $ $name) }}
  protocol: TCP
  {{- if $controller.hostPort.enabled }}
  hostPort: {{ get $controller.hostPort.ports $name }}
  {{- end }}
{{ end -}}
{{- range $transport := list "tcp" "udp" -}}
{{- range $port, $_ := default dict (get $.Values $transport) -}}
- name: {{ include "tidegate.services.port" (list $ $transport $port) }}
  containerPort: {{ $port }}
  protocol: {{ upper $transport }}
  {{- if $controller.hostPort.enabled }}
  hostPort: {{ $port }}
  {{- end }}
{{ end -}}
{{- end -}}
- name: metrics
  containerPort: {{ include "tidegate.port" (list . "healthz") }}
  protocol: TCP
{{- end -}}

{{- define "tidegate.ports.webhook" -}}
{{- if .Values.controller.admissionWebhooks.enabled -}}
- name: webhook
  containerPort: {{ .Values.controller.admissionWebhooks.port }}
  protocol: TCP
{{- end -}}
{{- end -}}

{{/* (root, run, controller or dataplane) */}}
{{- define "tidegate.ports" -}}
{{- $root := first . -}}
{{- if eq (last .) "controller" -}}
- name: ctl-metrics
  containerPort: {{ $root.Values.controller.metrics.controllerPort }}
  protocol: TCP
{{- else -}}
{{ include "tidegate.ports.traffic" $root }}
{{- end -}}
{{- if ne (last .) "dataplane" }}
{{ include "tidegate.ports.webhook" $root }}
{{- end -}}
{{- end -}}

{{/* A probe: the timings that are given, and our page and port: (root, the probe, page, port). */}}
{{- define "tidegate.probe" -}}
{{- $probe := index . 1 -}}
{{- $get := dict "path" (index . 2) "port" (last .) -}}
{{- with default (first .).Values.controller.healthCheckHost ($probe.httpGet).host -}}
{{- $_ := set $get "host" . -}}
{{- end -}}
{{- merge (dict "httpGet" $get) (omit $probe "httpGet" "exec" "tcpSocket" "grpc") | toYaml -}}
{{- end -}}

{{/*
Whether the Pod gets traffic is the data plane's business alone: a controller that cannot reach the API server, ends or hangs
takes nothing away from what is served. Therefore its first process looks after it, and not a probe: a container that the kubelet
restarts makes the whole Pod unready.
*/}}
{{- define "tidegate.probes" -}}
{{- $root := first . -}}
{{- $controller := $root.Values.controller -}}
{{- $port := ternary "ctl-metrics" "metrics" (eq (last .) "controller") -}}
{{- $own := ternary $controller.controlplane $controller (eq (last .) "controller") -}}
{{- with $own.startupProbe }}
startupProbe: {{- include "tidegate.probe" (list $root . "/healthz" $port) | nindent 2 }}
{{- end }}
{{- with $own.livenessProbe }}
livenessProbe: {{- include "tidegate.probe" (list $root . "/healthz" $port) | nindent 2 }}
{{- end }}
{{- if ne (last .) "controller" }}
readinessProbe: {{- include "tidegate.probe" (list $root (default dict $controller.readinessProbe) "/readyz" $port) | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A container: (root, run, controller or dataplane). */}}
{{- define "tidegate.container" -}}
{{- $root := first . -}}
{{- $plane := last . -}}
{{- $controller := $root.Values.controller -}}
name: {{ ternary $controller.dataplane.containerName $controller.containerName (eq $plane "dataplane") }}
image: {{ include "tidegate.controller.image" $root }}
imagePullPolicy: {{ $controller.image.pullPolicy }}
args: {{- include "tidegate.args" . | nindent 2 }}
env:
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  - name: POD_NAMESPACE
    valueFrom:
      fieldRef:
        fieldPath: metadata.namespace
  {{- with $controller.extraEnvs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports: {{- include "tidegate.ports" . | trim | nindent 2 }}
{{- include "tidegate.probes" . }}
securityContext: {{- include "tidegate.securityContext" . | fromJson | toYaml | nindent 2 }}
{{- with ternary $controller.controlplane.resources $controller.resources (eq $plane "controller") }}
resources: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $controller.resizePolicy }}
resizePolicy: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with (include "tidegate.volumeMounts" . | fromJson).all }}
volumeMounts: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
