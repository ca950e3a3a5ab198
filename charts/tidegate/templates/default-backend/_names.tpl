{{- define "tidegate.defaultBackend.fullname" -}}
{{- printf "%s-%s" (include "tidegate.fullname" .) .Values.defaultBackend.name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Its image as {repository, tag, digest}, or nothing where the values name none: this chart has none of its own. */}}
{{- define "tidegate.defaultBackend.image" -}}
{{- $image := .Values.defaultBackend.image -}}
{{- $registry := default (((.Values.global).image).registry) $image.registry -}}
{{- $whole := default (ternary (printf "%s/%s" $registry $image.image) $image.image (not (empty $registry))) $image.repository -}}
{{- if or $image.repository $image.image -}}
{{- /* Files of ingress-nginx may leave out the tag of the image that its chart has. */ -}}
{{- $default := ternary "1.5" "" (regexMatch "(^|/)defaultbackend-amd64$" $whole) -}}
{{- include "tidegate.image" (list (dict "repository" $whole "tag" $image.tag "digest" $image.digest) $default) -}}
{{- end -}}
{{- end -}}

{{- define "tidegate.defaultBackend.runs" -}}
{{- and .Values.defaultBackend.enabled (not (empty (include "tidegate.defaultBackend.image" .))) -}}
{{- end -}}

{{- define "tidegate.defaultBackend.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tidegate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: default-backend
{{- end -}}

{{- define "tidegate.defaultBackend.labels" -}}
{{- include "tidegate.labels.of" (list . (include "tidegate.defaultBackend.selectorLabels" .)) -}}
{{- end -}}

{{- define "tidegate.defaultBackend.serviceAccountName" -}}
{{- $account := .Values.defaultBackend.serviceAccount -}}
{{- default (ternary (include "tidegate.defaultBackend.fullname" .) "default" $account.create) $account.name -}}
{{- end -}}

{{- define "tidegate.defaultBackend.metadata" -}}
{{- $own := include "tidegate.defaultBackend.labels" . -}}
{{- include "tidegate.metadata" (dict "root" . "own" $own "name" (include "tidegate.defaultBackend.fullname" .) "labels" .Values.defaultBackend.labels) -}}
{{- end -}}

{{/* The security context of its container as JSON; containerSecurityContext wins, field by field. */}}
{{- define "tidegate.defaultBackend.securityContext" -}}
{{- $backend := .Values.defaultBackend -}}
{{- $context := pick $backend.image "runAsNonRoot" "runAsUser" "runAsGroup" "allowPrivilegeEscalation" "readOnlyRootFilesystem" "seccompProfile" -}}
{{- $_ := set $context "capabilities" (dict "drop" (list "ALL")) -}}
{{- mergeOverwrite $context (deepCopy (default dict $backend.containerSecurityContext)) | toJson -}}
{{- end -}}
