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

{{/* What belongs to no namespace. */}}
{{- define "tidegate.rules.cluster" -}}
- apiGroups: [networking.k8s.io]
  resources: [ingressclasses]
  verbs: [list, watch]
{{- if hasKey (include "tidegate.flags" . | fromJson) "watch-namespace-selector" }}
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
{{- end }}
{{- if .Files.Glob "crds/*.yaml" }}
- apiGroups: [tidegate.dev]
  resources: [ingressclassparameters]
  verbs: [list, watch]
- apiGroups: [tidegate.dev]
  resources: [ingressclassparameters/status]
  verbs: [patch]
{{- end }}
{{- if eq "nodes" (include "tidegate.status" .) }}
- apiGroups: [""]
  resources: [nodes]
  verbs: [get]
{{- end }}
{{- end -}}

{{/* The name of the one object that a rule is for. An empty list would be all of them. */}}
{{- define "tidegate.rules.name" -}}
{{- toString . | toYaml -}}
{{- end -}}

{{/* In our own namespace: who of several replicas writes the status, and whether another one is left when one goes. */}}
{{- define "tidegate.rules.own" -}}
{{- $flags := include "tidegate.flags" . | fromJson -}}
{{- if or (not (hasKey $flags "disable-leader-election")) (eq "false" (get $flags "disable-leader-election" | toString)) }}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ get $flags "election-id" | include "tidegate.rules.name" }}]
  verbs: [get, update]
{{- end }}
{{- $status := include "tidegate.status" . }}
{{- $last := ne (get $flags "update-status-on-shutdown" | toString) "false" }}
{{- if or (eq $status "nodes") (and $last (ne $status "none")) }}
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list]
{{- end }}
{{- end -}}

{{/* Single objects that flags name: {flag: resource}. Of those that are not ConfigMaps, all are read anyway, where all namespaces are. */}}
{{- define "tidegate.rules.named" -}}
configmap: configmaps
tcp-services-configmap: configmaps
udp-services-configmap: configmaps
{{- if or (include "tidegate.scope" .) (eq "true" (include "tidegate.chosen" .)) }}
publish-service: services
default-ssl-certificate: secrets
default-backend-service: services
{{- end }}
{{- end -}}

{{/* One object by name: (flag, resource, name). */}}
{{- define "tidegate.rules.one" -}}
- apiGroups: [""]
  resources: [{{ index . 1 }}]
  resourceNames: [{{ last . | include "tidegate.rules.name" }}]
  verbs: [list, watch]
{{- if eq (first .) "default-backend-service" }}
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{- end }}
{{- end -}}

{{/* A role and its binding to our account: {root, kind, name, namespace, rules, unbound}; a ClusterRole has no namespace. */}}
{{- define "tidegate.role" -}}
{{- range $kind := ternary (list .kind) (list .kind (printf "%sBinding" .kind)) (eq true .unbound) }}
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
rules: {{- $.rules | trim | nindent 2 }}
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
