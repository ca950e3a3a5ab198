{{/* What is read and written in every watched namespace; each verb is one that the controller uses. */}}
{{- define "tidegate.rules" -}}
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [list, watch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [services, secrets]
  verbs: [list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{ include "tidegate.rules.events" . }}
{{- end -}}

{{- define "tidegate.rules.events" -}}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* One object by name: {resource, name}. */}}
{{- define "tidegate.rules.one" -}}
- apiGroups: [""]
  resources: [{{ .resource }}]
  resourceNames: [{{ .name }}]
  verbs: [list, watch]
{{- end -}}

{{/* A role and its binding to our account: {root, kind, name, namespace, rules}; a ClusterRole has no namespace. */}}
{{- define "tidegate.role" -}}
{{- range $kind := list .kind (printf "%sBinding" .kind) }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  name: {{ $.name }}
  {{- with $.namespace }}
  namespace: {{ . }}
  {{- end }}
  labels: {{- include "tidegate.labels" $.root | nindent 4 }}
{{- if eq $kind $.kind }}
rules: {{- $.rules | nindent 2 }}
{{- else }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $.kind }}
  name: {{ $.name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "tidegate.serviceAccountName" $.root }}
    namespace: {{ include "tidegate.namespace" $.root }}
{{- end }}
{{- end }}
{{- end -}}
