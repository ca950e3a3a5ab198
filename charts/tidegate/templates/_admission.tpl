{{/* The webhook's Service and configuration, and the Secret with its certificate. */}}
{{- define "tidegate.admission.name" -}}
{{- include "tidegate.controller.part" (list . .Values.controller.admissionWebhooks.name) -}}
{{- end -}}

{{/*
The certificate as JSON {ca, cert, key}, each in base64: the one that is there already, or a new one for ten years. Each
call may make another, so there is one call.
*/}}
{{- define "tidegate.admission.certificate" -}}
{{- $name := include "tidegate.admission.name" . -}}
{{- $namespace := include "tidegate.namespace" . -}}
{{- $held := default dict (lookup "v1" "Secret" $namespace $name).data -}}
{{- if and (get $held "ca.crt") (get $held "tls.crt") (get $held "tls.key") -}}
{{- dict "ca" (get $held "ca.crt") "cert" (get $held "tls.crt") "key" (get $held "tls.key") | toJson -}}
{{- else -}}
{{- $host := printf "%s.%s.svc" $name $namespace -}}
{{- $ca := genCA (printf "%s-ca" $name) 3650 -}}
{{- $made := genSignedCert $host nil (list $host (printf "%s.%s" $name $namespace)) 3650 $ca -}}
{{- dict "ca" (b64enc $ca.Cert) "cert" (b64enc $made.Cert) "key" (b64enc $made.Key) | toJson -}}
{{- end -}}
{{- end -}}

{{/* Which namespaces' Ingresses are asked about: those that are looked at, unless the values say otherwise. */}}
{{- define "tidegate.admission.namespaces" -}}
{{- $given := .Values.controller.admissionWebhooks.namespaceSelector -}}
{{- if $given -}}
{{- toYaml $given -}}
{{- else if include "tidegate.scope" . -}}
matchLabels:
  kubernetes.io/metadata.name: {{ include "tidegate.scope" . }}
{{- end -}}
{{- end -}}

{{/* Where cert-manager puts the certificate, and by whom: (root, issuer). */}}
{{- define "tidegate.admission.issued" -}}
{{- $root := first . -}}
{{- $name := include "tidegate.admission.name" $root -}}
{{- $host := printf "%s.%s" $name (include "tidegate.namespace" $root) -}}
secretName: {{ $name }}
dnsNames: [{{ $host }}.svc, {{ $host }}]
issuerRef: {{- last . | toYaml | nindent 2 }}
{{- with include "tidegate.admission.lifetime" $root.Values.controller.admissionWebhooks.certManager.admissionCert }}
{{ . }}
{{- end }}
{{- end -}}

{{- define "tidegate.admission.lifetime" -}}
{{- include "tidegate.fields" (list . (list "duration" "revisionHistoryLimit")) | trim -}}
{{- end -}}
