{{/*
The flags as JSON: ours, then those of extraArgs, which win. $(POD_NAMESPACE) is put in by the kubelet.
*/}}
{{- define "tidegate.flags" -}}
{{- $controller := .Values.controller -}}
{{- $own := printf "$(POD_NAMESPACE)/%s" (include "tidegate.controller.fullname" .) -}}
{{- $flags := dict
  "controller-class" $controller.ingressClassResource.controllerValue
  "ingress-class" $controller.ingressClass
  "configmap" $own
  "http-port" $controller.containerPort.http
  "https-port" $controller.containerPort.https
  "healthz-port" $controller.metrics.port
-}}
{{- if and $controller.publishService.enabled (not (hasKey $controller.extraArgs "publish-status-address")) -}}
{{- $_ := set $flags "publish-service" (default $own $controller.publishService.pathOverride) -}}
{{- end -}}
{{- if $controller.ingressClassByName -}}
{{- $_ := set $flags "ingress-class-by-name" true -}}
{{- end -}}
{{- if $controller.watchIngressWithoutClass -}}
{{- $_ := set $flags "watch-ingress-without-class" true -}}
{{- end -}}
{{- if $controller.scope.enabled -}}
{{- $_ := set $flags "watch-namespace" (default "$(POD_NAMESPACE)" $controller.scope.namespace) -}}
{{- else if $controller.scope.namespaceSelector -}}
{{- $_ := set $flags "watch-namespace-selector" $controller.scope.namespaceSelector -}}
{{- end -}}
{{- range $transport := list "tcp" "udp" -}}
{{- if get $.Values $transport -}}
{{- $_ := set $flags (printf "%s-services-configmap" $transport) (printf "$(POD_NAMESPACE)/%s" (include "tidegate.services.name" (list $ $transport))) -}}
{{- end -}}
{{- end -}}
{{- merge (dict) $controller.extraArgs $flags | toJson -}}
{{- end -}}

{{- define "tidegate.args" -}}
- run
{{- range $flag, $value := include "tidegate.flags" . | fromJson }}
{{- $text := ternary "" (include "tidegate.text" $value) (kindIs "invalid" $value) }}
- {{ printf "--%s%s%s" $flag (ternary "=" "" (ne $text "")) $text | quote }}
{{- end }}
{{- end -}}

{{- define "tidegate.securityContext" -}}
{{- $image := .Values.controller.image -}}
{{- if .Values.controller.containerSecurityContext -}}
{{- toYaml .Values.controller.containerSecurityContext -}}
{{- else -}}
runAsNonRoot: {{ $image.runAsNonRoot }}
runAsUser: {{ $image.runAsUser }}
runAsGroup: {{ $image.runAsGroup }}
allowPrivilegeEscalation: {{ $image.allowPrivilegeEscalation }}
readOnlyRootFilesystem: {{ $image.readOnlyRootFilesystem }}
seccompProfile: {{- toYaml $image.seccompProfile | nindent 2 }}
capabilities:
  drop: [ALL]
{{- end -}}
{{- end -}}

{{- define "tidegate.ports" -}}
{{- $controller := .Values.controller -}}
{{- range $name := list "http" "https" -}}
- name: {{ $name }}
  containerPort: {{ get $controller.containerPort $name }}
  protocol: TCP
  {{- if $controller.hostPort.enabled }}
  hostPort: {{ get $controller.hostPort.ports $name }}
  {{- end }}
{{ end -}}
{{- range $transport := list "tcp" "udp" -}}
{{- range $port, $_ := get $.Values $transport -}}
- name: {{ include "tidegate.services.port" (list $ $transport $port) }}
  containerPort: {{ $port }}
  protocol: {{ upper $transport }}
  {{- if $controller.hostPort.enabled }}
  hostPort: {{ $port }}
  {{- end }}
{{ end -}}
{{- end -}}
- name: metrics
  containerPort: {{ $controller.metrics.port }}
  protocol: TCP
{{- end -}}

{{- define "tidegate.container" -}}
name: {{ .Values.controller.containerName }}
image: {{ include "tidegate.image" . }}
imagePullPolicy: {{ .Values.controller.image.pullPolicy }}
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
  {{- with .Values.controller.extraEnvs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports: {{- include "tidegate.ports" . | nindent 2 }}
livenessProbe: {{- toYaml .Values.controller.livenessProbe | nindent 2 }}
readinessProbe: {{- toYaml .Values.controller.readinessProbe | nindent 2 }}
securityContext: {{- include "tidegate.securityContext" . | nindent 2 }}
{{- with .Values.controller.resources }}
resources: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.controller.resizePolicy }}
resizePolicy: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.controller.extraVolumeMounts }}
volumeMounts: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
