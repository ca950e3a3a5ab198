{{/* Where both containers meet. */}}
{{- define "tidegate.socket" -}}
/run/tidegate/link/tidegate.sock
{{- end -}}

{{/*
Where the data plane keeps what it serves: a folder that it makes itself, so that it is its own and closed to others, which
the volume's cannot be.
*/}}
{{- define "tidegate.state" -}}
/run/tidegate/state/kept
{{- end -}}

{{/* Volumes of the Pod as a JSON list in "all". */}}
{{- define "tidegate.volumes" -}}
{{- $controller := .Values.controller -}}
{{- $volumes := list -}}
{{- if $controller.split -}}
{{- $volumes = append $volumes (dict "name" "link" "emptyDir" (dict "medium" "Memory" "sizeLimit" "1Mi")) -}}
{{- $volumes = append $volumes (dict "name" "state" "emptyDir" (dict "medium" "Memory" "sizeLimit" $controller.dataplane.stateSizeLimit)) -}}
{{- if .Values.serviceAccount.automountServiceAccountToken -}}
{{- $sources := list
  (dict "serviceAccountToken" (dict "path" "token" "expirationSeconds" 3607))
  (dict "configMap" (dict "name" "kube-root-ca.crt" "items" (list (dict "key" "ca.crt" "path" "ca.crt"))))
  (dict "downwardAPI" (dict "items" (list (dict "path" "namespace" "fieldRef" (dict "apiVersion" "v1" "fieldPath" "metadata.namespace")))))
-}}
{{- $volumes = append $volumes (dict "name" "kube-api-access" "projected" (dict "defaultMode" 0o440 "sources" $sources)) -}}
{{- end -}}
{{- end -}}
{{- if $controller.admissionWebhooks.enabled -}}
{{- $items := list
  (dict "key" "tls.crt" "path" (base $controller.admissionWebhooks.certificate))
  (dict "key" "tls.key" "path" (base $controller.admissionWebhooks.key))
-}}
{{- $secret := dict "secretName" (include "tidegate.admission.name" .) "defaultMode" 0o440 "items" $items -}}
{{- $volumes = append $volumes (dict "name" "webhook-cert" "secret" $secret) -}}
{{- end -}}
{{- dict "all" (concat $volumes (default list $controller.extraVolumes)) | toJson -}}
{{- end -}}

{{/* Mounts of a container, likewise: (root, run, controller or dataplane). */}}
{{- define "tidegate.volumeMounts" -}}
{{- $values := (first .).Values -}}
{{- $controller := $values.controller -}}
{{- $plane := last . -}}
{{- $mounts := list -}}
{{- if eq $plane "dataplane" -}}
{{- $mounts = append $mounts (dict "name" "link" "mountPath" "/run/tidegate/link" "readOnly" true) -}}
{{- $mounts = append $mounts (dict "name" "state" "mountPath" "/run/tidegate/state") -}}
{{- end -}}
{{- if eq $plane "controller" -}}
{{- $mounts = append $mounts (dict "name" "link" "mountPath" "/run/tidegate/link") -}}
{{- if $values.serviceAccount.automountServiceAccountToken -}}
{{- $mounts = append $mounts (dict "name" "kube-api-access" "mountPath" "/var/run/secrets/kubernetes.io/serviceaccount" "readOnly" true) -}}
{{- end -}}
{{- end -}}
{{- if ne $plane "dataplane" -}}
{{- if $controller.admissionWebhooks.enabled -}}
{{- $mounts = append $mounts (dict "name" "webhook-cert" "mountPath" (dir $controller.admissionWebhooks.certificate) "readOnly" true) -}}
{{- end -}}
{{- $mounts = concat $mounts (default list $controller.extraVolumeMounts) -}}
{{- end -}}
{{- if ne $plane "controller" -}}
{{- $mounts = concat $mounts (default list $controller.dataplane.extraVolumeMounts) -}}
{{- end -}}
{{- dict "all" $mounts | toJson -}}
{{- end -}}
